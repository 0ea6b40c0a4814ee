"""Open vSwitch's own connection tracking, with static rules and no controller."""
