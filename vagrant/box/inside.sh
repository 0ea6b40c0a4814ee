#!/bin/bash
# What build-box does inside of the new root, whose packages are there: lastport's own provisioning for a purpose, and,
# for a box, what Vagrant expects of one and what each copy of it must have of its own.
#
#   inside.sh libvirt|virtualbox|oci run|test
set -euo pipefail
kind=$1 purpose=$2

mkdir /vagrant
tar -C /vagrant -xf /build/checkout.tar
bash /vagrant/vagrant/provision.sh "$purpose"
rm -rf /var/lib/lastport/logs/* /var/log/*.log /var/log/apt /root/.cache
[[ $kind != oci ]] || exit 0

# The user of Vagrant, who logs in by the key that every Vagrant has until it has made one of its own.
useradd --create-home --shell /bin/bash --uid 1000 vagrant
install -d -m 700 -o vagrant -g vagrant /home/vagrant/.ssh
install -m 600 -o vagrant -g vagrant /build/vagrant.pub /home/vagrant/.ssh/authorized_keys
echo 'vagrant ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/vagrant
chmod 440 /etc/sudoers.d/vagrant

echo lastport >/etc/hostname
printf '127.0.0.1\tlocalhost\n127.0.1.1\tlastport\n' >/etc/hosts
printf 'auto lo eth0\niface lo inet loopback\niface eth0 inet dhcp\n' >/etc/network/interfaces
echo 'LABEL=lastport / ext4 errors=remount-ro,noatime 0 1' >/etc/fstab
echo 'UseDNS no' >/etc/ssh/sshd_config.d/lastport.conf

# No two machines have the same keys and the same name for their journal.
rm -f /etc/ssh/ssh_host_*
mkdir -p /etc/systemd/system/ssh.service.d
cat >/etc/systemd/system/ssh.service.d/keys.conf <<'END'
[Service]
ExecStartPre=
ExecStartPre=/usr/bin/ssh-keygen -A
ExecStartPre=/usr/sbin/sshd -t
END
: >/etc/machine-id
rm -f /var/lib/dbus/machine-id
systemctl disable apt-daily.timer apt-daily-upgrade.timer
