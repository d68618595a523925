"""Leave now: sell slETH, or a request that waits, to the instant pool."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import click
from ape.cli import account_option, ape_cli_context
from eth_utils.address import to_checksum_address

from scripts._markets import chain_of
from scripts._session import PATIENCE, NodeCommand, Session, common_options, console, explained, open_session
from sluice.client import ActionError, Request, format_ether, parse_ether
from sluice.markets.instant import Instant, Sale, paid_by_queue_from
from sluice.units import when

if TYPE_CHECKING:
    from ape.api import AccountAPI, ProviderAPI

EPILOG = """
\b
Examples (with --network http://127.0.0.1:8545):
  ape run leave 2
  ape run leave all --at-least 9.98 --yes
  ape run leave --request 3               # a request of `ape run request` that waits
  ape run leave --request 3 --for sleth
"""
SLIPPAGE = Fraction(1, 1_000)
"""What may come less than shown, where --at-least does not say it."""


def least_of(quoted: int, at_least: str | None, unit: str) -> int:
    if at_least is None:
        return int(quoted * (1 - SLIPPAGE))
    least = parse_ether(at_least, "--at-least")
    if quoted < least:
        raise ActionError(f"The pool pays {format_ether(quoted)} {unit} now, less than {format_ether(least)}.")
    return least


def require_ether(instant: Instant, value: int, hint: str) -> None:
    """A sale for ether of that worth can be had now."""
    instant.require_open()
    most = instant.most()
    if value > most.value:
        raise ActionError(
            f"The pool has {format_ether(most.assets)} ether: at most {format_ether(most.shares)} slETH can be sold "
            f"now. {hint}"
        )


def tell_queue(session: Session, ahead: int, worth: int, asked_at: int | None = None) -> None:
    earliest = paid_by_queue_from(session.client.status(), ahead, worth, asked_at)
    if earliest is None:
        time = "when validators have left, since the vault has too little ether: days or weeks"
    else:
        time = f"with the first report after {when(earliest)}"
    console.print(f"The queue would pay {format_ether(worth)} ether and what it earns until then, {time}.")


def tell_sale(sale: Sale, least: int) -> None:
    console.print(
        f"{format_ether(sale.shares)} slETH worth {format_ether(sale.value)} ether for {format_ether(sale.assets)} "
        f"ether now: the fee is {format_ether(sale.fee)} ether, {float(sale.fee_part):.3%}. At least "
        f"{format_ether(least)} ether."
    )


def sell(session: Session, instant: Instant, sleth: str, at_least: str | None, *, yes: bool) -> None:
    sender, owner = session.sender, session.sender.address
    held = instant.chain.balance(instant.sleth, owner)
    shares = held if sleth == "all" else parse_ether(sleth, "SLETH")
    if not held:
        raise ActionError(f"{owner} holds no slETH: `ape run stake` first.")
    if shares > held:
        raise ActionError(f"{owner} holds {format_ether(held)} slETH: sell that much or less.")
    worth = instant.worth(shares)
    require_ether(instant, worth, "The rest can wait in the queue: `ape run request`.")
    sale = instant.sale(shares)
    least = least_of(sale.assets, at_least, "ether")
    tell_sale(sale, least)
    tell_queue(session, instant.worth(session.client.status().open_shares), worth)
    if not yes:
        click.confirm("Sell?", abort=True)
    deadline = sender.next_time() + PATIENCE
    permit = None
    if instant.chain.allowed(instant.sleth, owner, instant.pool.address) < shares:
        permit = sender.sign(instant.chain.permit(instant.sleth, owner, instant.pool.address, shares, deadline))
    receipt = instant.sell(sender, shares, least, deadline, permit)
    got = instant.pool.events("Sold", owner, first_block=receipt.block)[-1]["assets"]
    console.print(
        f"Sold {format_ether(shares)} slETH for {format_ether(got)} ether "
        f"({receipt.gas_used:,} gas, {receipt.tx_hash})."
    )


def own_request(session: Session, number: int) -> Request:
    request = session.client.request(number)
    owner = session.sender.address
    if request.claimed:
        raise ActionError(f"Request {number} was claimed already.")
    if to_checksum_address(request.owner) != owner:
        raise ActionError(f"Request {number} is of {to_checksum_address(request.owner)}, not of {owner}.")
    return request


def sell_request(
    session: Session, instant: Instant, number: int, at_least: str | None, *, for_ether: bool, yes: bool
) -> None:
    sender = session.sender
    request = own_request(session, number)
    if not request.finalized and session.client.status().finalizable >= number:
        raise ActionError(
            f"The queue pays request {number} in full now, {format_ether(request.assets)} ether: "
            "`ape run claim --finalize`."
        )
    if for_ether and not request.finalized:
        require_ether(instant, instant.worth(request.shares), "`--for sleth` may have enough, or let it wait.")
    quoted = instant.quote_request(number, for_ether=for_ether)
    unit = "ether" if for_ether else "slETH"
    least = least_of(quoted, at_least, unit)
    console.print(f"Request {number}, which waits:")
    if for_ether:
        tell_sale(Sale(request.shares, instant.worth(request.shares), quoted), least)
    else:
        fee = request.shares - quoted
        console.print(
            f"{format_ether(request.shares)} slETH in it for {format_ether(quoted)} slETH now: the fee is "
            f"{format_ether(fee)} slETH, {fee / request.shares:.3%}. At least {format_ether(least)} slETH."
        )
    tell_queue(
        session, int(session.client.view("WithdrawalQueue", "etherAhead", number)), request.assets, request.requested_at
    )
    if not yes:
        click.confirm("Sell?", abort=True)
    receipt = instant.sell_request(sender, number, least, sender.next_time() + PATIENCE, for_ether=for_ether)
    sold = instant.pool.events("RequestBought", number, first_block=receipt.block)[-1]
    got = sold["assets" if for_ether else "paidShares"]
    console.print(
        f"Sold request {number} for {format_ether(got)} {unit} ({receipt.gas_used:,} gas, {receipt.tx_hash})."
    )


@click.command(cls=NodeCommand, epilog=EPILOG, short_help="Sell slETH to the instant pool: leave now.")
@ape_cli_context()
@click.argument("sleth", required=False)
@click.option("--request", "number", type=click.IntRange(min=1), help="Sell this request in place of slETH.")
@click.option(
    "--for",
    "wanted",
    type=click.Choice(["ether", "sleth"]),
    default="ether",
    show_default=True,
    help="What a request is sold for.",
)
@click.option("--at-least", help="What has to come.  [default: 0.1% below what is shown]")
@click.option("--yes", is_flag=True, help="Do not ask before sending.")
@account_option(prompt=False)
@common_options
def cli(
    _cli_ctx: object,
    provider: ProviderAPI,
    sleth: str | None,
    number: int | None,
    wanted: str,
    at_least: str | None,
    yes: bool,
    account: AccountAPI | None,
    params_path: Path,
    registry: Path | None,
) -> None:
    """Sell SLETH (for example 2, or `all`) for ether at once, or a request that waits in the queue.

    The price is the core rate less a fee that grows as the pool's ether runs out. The queue has no fee and takes time.
    slETH is sold with a signed permit where the account can sign one, else it is approved first.

    On a local chain the account is TEST::7 where none is given.
    """
    with explained():
        if (sleth is None) == (number is None):
            raise ActionError("Give either SLETH or --request.")
        if number is None and wanted != "ether":
            raise ActionError("--for is of --request: slETH is sold for ether.")
        session = open_session(provider, params_path, registry, account, index=7)
        instant = Instant.at(chain_of(session), session.registry)
        if number is not None:
            sell_request(session, instant, number, at_least, for_ether=wanted == "ether", yes=yes)
        elif sleth is not None:
            sell(session, instant, sleth, at_least, yes=yes)
