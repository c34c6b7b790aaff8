"""Connections to MySQL and MariaDB, and plain words for why there is none. Used by `store` alone."""

from __future__ import annotations

import ssl

from asyncmy import errors

from provider.cluster import tls
from provider.hosting.datastores.errors import StoreDenied, StoreError, StoreUnreachable, StoreUntrusted
from provider.hosting.storematerial import Access

DENIED = frozenset({1044, 1045, 1698, 1142, 1143, 1227, 1370, 1410, 3118, 4151})
"""No such user or password, or it may not do it."""
AWAY = frozenset({2002, 2003, 2006, 2013, 1040, 1053})


def context(access: Access) -> ssl.SSLContext:
    """The server has to be who it says, as kine has it."""
    try:
        return tls.trusting(access.ca, access.client)
    except (ssl.SSLError, ValueError):
        raise StoreUntrusted("the DataStore's certificates or keys are no PEM that belong together") from None


def why(access: Access, error: BaseException) -> StoreError:
    """Why nobody was let in, in words that stay the same."""
    where = access.endpoints[0]
    causes = [error, error.__cause__, error.__context__]
    if any(isinstance(each, ssl.SSLError) for each in causes):
        return StoreUntrusted(
            f"{where} offers no TLS, shows a certificate that tlsConfig.certificateAuthority did not sign or for another name,"
            " or does not take the client certificate"
        )
    number = error.args[0] if isinstance(error, errors.MySQLError) and error.args else 0
    if not isinstance(error, errors.MySQLError) or number in AWAY:
        return StoreUnreachable(f"nobody answers at {where}: is the database up, and is the address right?")
    return StoreDenied(f"{where} does not let user {access.user} in: is the password right?")


def said(access: Access, error: BaseException) -> StoreError:
    """What of a connection that stood broke off, in words without values."""
    number = error.args[0] if isinstance(error, errors.MySQLError) and error.args else 0
    if number in DENIED:
        return StoreDenied(f"user {access.user} may not do it (error {number} of the database)")
    if not isinstance(error, errors.MySQLError) or number in AWAY:
        return StoreUnreachable(f"{access.endpoints[0]} takes connections and does not answer")
    return StoreError(f"the database refused: error {number}")
