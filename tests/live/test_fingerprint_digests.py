"""What real servers' digests of some hundred statements are, against the key of the statement."""

from __future__ import annotations

from dbvigil.queries.fingerprint import canonical, pair_key
from dbvigil.types import Flavor
from tests.recorded.fingerprint.digests import STATEMENTS, digests
from tests.support.servers import PrivateServers


def test_each_statement_meets_its_digest(private_server: PrivateServers, release: str) -> None:
    server = private_server(release)
    flavor: Flavor = "mariadb" if server.flavor == "mariadb" else "mysql"
    found = digests(server)
    assert len(found) > 0.9 * len(STATEMENTS)
    apart = {
        statement: (canonical(statement, flavor), canonical(digest, flavor))
        for statement, digest in found.items()
        if pair_key(statement, flavor) != pair_key(digest, flavor)
    }
    assert apart == {}
