"""Who may read the page, and what: everybody with the token, by GET, and nothing that is no part of it."""

from __future__ import annotations

import html.parser
from collections.abc import Iterator

import pytest

from testbed.recording.format import RECORD, Kind
from testbed.web.listening import Listener
from testbed.web.site import Shelf, is_safe_host, page_files
from tests.support.webserver import TOKEN, ask, get, served


@pytest.fixture(scope="module")
def site() -> Iterator[Listener]:
    """Serve a page without recordings."""
    with served(Shelf()) as listener:
        yield listener


def test_whoever_has_the_token_gets_the_page(site: Listener) -> None:
    """Its URL without the last slash leads there as well."""
    assert b"<title>lastport</title>" in get(site, "")
    assert ask(site, f"/{TOKEN}").getheader("location") == f"/{TOKEN}/"


@pytest.mark.parametrize(
    "path", ["/", "/x/", f"/{TOKEN}x/", f"/{TOKEN[:-1]}/", "/index.html", f"//{TOKEN}/", "/%ff/"]
)
def test_without_the_token_nothing_is_there(site: Listener, path: str) -> None:
    """The answer is the same for every path."""
    answer = ask(site, path)

    assert answer.status == 404
    assert b"token" in answer.read()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "X"])
def test_nothing_can_be_done_but_to_read(site: Listener, method: str) -> None:
    """Every method but GET is refused."""
    assert ask(site, f"/{TOKEN}/", method=method).status == 405


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8470", "127.0.0.1", "localhost", "localhost:8470", "[::1]:8470", "[::1]", "10.0.2.15:99"]
)
def test_a_host_s_address_is_no_stranger_s_name(host: str) -> None:
    """Vagrant and other forwarders may lead here from any port."""
    assert is_safe_host(host)


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example:8470", "127.0.0.1.evil.example", "x:1:2", ""]
)
def test_a_name_that_a_stranger_s_dns_can_give_is_refused(site: Listener, host: str) -> None:
    """Else a page of theirs could read this one in the same browser (DNS rebinding)."""
    assert not is_safe_host(host)
    assert ask(site, f"/{TOKEN}/", host=host or " ").status == 400


@pytest.mark.parametrize(
    "path",
    [
        *(
            "../site.py",
            "../../site.py",
            "vendor/../../site.py",
            "%2e%2e/site.py",
            "..%2fsite.py",
            "....//site.py",
        ),
        *("/etc/passwd", "//etc/passwd", "vendor", "vendor/", "vendor%2f..%2findex.html", "style.css%00", "page/"),
        *("recordings/../index.html", "recordings/x", "recordings/x/about", "recordings/x?from=-1"),
    ],
)
def test_no_path_leads_out_of_the_page(site: Listener, path: str) -> None:
    """A file has to be one of the page's own, by its whole name."""
    answer = ask(site, f"/{TOKEN}/{path}")

    assert answer.status == 404
    assert b"import" not in answer.read()


def test_the_page_may_run_no_script_but_its_own_and_lead_nowhere(site: Listener) -> None:
    """The browser holds it to that, whatever a recording has for texts."""
    answer = ask(site, f"/{TOKEN}/")
    policy = answer.getheader("content-security-policy") or ""

    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.getheader("referrer-policy") == "no-referrer"
    assert answer.getheader("cache-control") == "no-store"
    assert answer.getheader("x-content-type-options") == "nosniff"


def test_all_that_the_page_names_is_there(site: Listener) -> None:
    """It loads nothing from elsewhere, and has no script or style of its own in it."""
    named: list[str] = []

    class Reader(html.parser.HTMLParser):
        def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
            told = dict(attributes)
            assert tag != "style"
            assert not [name for name in told if name.startswith("on") or name == "style"]
            assert tag != "script" or told.get("src")
            named.extend(value for name, value in attributes if value and name in ("src", "href"))

    Reader().feed(get(site, "").decode())

    assert len(named) >= 5
    for name in named:
        assert get(site, name)


@pytest.mark.parametrize("name", [name for name in page_files() if name.endswith(".js") and "vendor" not in name])
def test_each_module_imports_what_is_there(name: str) -> None:
    """By a relative name, since the token stands before it."""
    files = page_files()
    text = files[name][1].decode()
    imported = [line.rsplit('"', 2)[1] for line in text.splitlines() if line.startswith(("import ", "} from"))]

    assert all(each.startswith("./") and each[2:] in files for each in imported)


def test_the_page_knows_the_format_from_where_it_is_defined() -> None:
    """The numbers of the recording's format stand nowhere twice."""
    module = page_files()["format.js"][1].decode()

    assert f"export const RECORD_BYTES = {RECORD.size};" in module
    assert f'"ALLOCATED": {Kind.ALLOCATED.value}' in module


def test_what_is_vendored_has_its_licence() -> None:
    """UPlot's is MIT."""
    assert b"MIT" in page_files()["vendor/uPlot-LICENSE.txt"][1]
