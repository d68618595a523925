"""Provide ether and slETH: to the instant pool, or to Uniswap v3 around the core rate."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import click
from ape.cli import account_option, ape_cli_context
from rich.table import Table

from scripts._markets import chain_of, open_markets
from scripts._session import PATIENCE, NodeCommand, Session, common_options, console, explained, open_session
from sluice.client import ActionError, format_ether, parse_ether
from sluice.markets.instant import Addition, Instant
from sluice.markets.local import stake_in

if TYPE_CHECKING:
    from ape.api import AccountAPI, ProviderAPI

EPILOG = """
\b
Examples (with --network http://127.0.0.1:8545):
  ape run provide 20                         # to the instant pool, in its ratio
  ape run provide 5 --sleth all --yes        # 5 ether and all slETH of the account
  ape run provide --remove 50%
  ape run provide --claim                    # what has come since from the queue
  ape run provide 20 --to uniswap --width 0.5
"""
FAR = Fraction(1, 100)
"""A pool that is farther from the rate than this is worth a warning."""
SIZES = (Fraction(1, 100), Fraction(1, 10), Fraction(1, 2), Fraction(9, 10), Fraction(1))
"""Of the pool's ether, for which the fee is shown."""


def part_of(text: str) -> Fraction:
    """`50%` or `all`."""
    wrong = ActionError(f"PART {text!r} is neither a percentage up to 100, for example 50%, nor all.")
    try:
        part = Fraction(1) if text == "all" else Fraction(text.removesuffix("%")) / 100
    except (ValueError, ZeroDivisionError) as error:
        raise wrong from error
    if not 0 < part <= 1 or not (text == "all" or text.endswith("%")):
        raise wrong
    return part


def amount_of(text: str, what: str) -> int:
    """As the other scripts read it, but nothing is an amount, too."""
    return 0 if text == "0" else parse_ether(text, what)


def fees(instant: Instant) -> Table:
    table = Table("to leave with", "costs", "of it", box=None, pad_edge=False)
    available = instant.legs()[0]
    for size in SIZES:
        if out := int(available * size):
            sale = instant.sale_for(out)
            table.add_row(
                f"{format_ether(out)} ether", f"{format_ether(sale.fee)} ether", f"{float(sale.fee_part):.3%}"
            )
    return table


def collect_first(session: Session, instant: Instant, *, yes: bool) -> None:
    """The pool has to know what it owns before it is divided."""
    if not instant.uncounted():
        return
    console.print("Requests of the pool were paid and are not counted yet.")
    if not yes:
        click.confirm("Count them first (mostly 1 transaction)?", abort=True)
    instant.collect(session.sender)


# --- Instant pool ---


def addition_of(session: Session, instant: Instant, ether: str, sleth: str | None) -> Addition:
    """What the words ask for; refused where the account has not got it."""
    owner = session.sender.address
    held = instant.chain.balance(instant.sleth, owner)
    if sleth is None:
        addition = instant.addition(parse_ether(ether, "ETHER"), held)
    else:
        shares = held if sleth == "all" else amount_of(sleth, "--sleth")
        if shares > held:
            raise ActionError(f"{owner} holds {format_ether(held)} slETH: give that much or less.")
        addition = Addition(amount_of(ether, "ETHER"), shares, 0, shares)
        if not addition.ether + shares:
            raise ActionError("There is nothing to add.")
    balance = session.reader.balance(owner)
    if balance <= addition.ether + addition.staked:
        raise ActionError(f"{owner} holds {format_ether(balance)} ether and needs some more than that.")
    return addition


def add(session: Session, instant: Instant, ether: str, sleth: str | None, slippage: Fraction, *, yes: bool) -> None:
    sender = session.sender
    instant.require_unpaused(sender.next_time())
    addition = addition_of(session, instant, ether, sleth)  # what cannot be is said before anything is sent
    collect_first(session, instant, yes=yes)
    addition = addition_of(session, instant, ether, sleth)
    quoted = instant.quote_add(addition.ether, addition.shares)
    least = int(quoted * (1 - slippage))
    supply = int(instant.pool.read("totalSupply"))
    assets, shares, awaited = instant.legs()
    console.print(f"Liquidity for {sender.address}", style="bold")
    console.print(
        f"The pool has {format_ether(assets)} ether, {format_ether(shares)} slETH, and {format_ether(awaited)} slETH "
        "in the queue. What leaving through it costs today:"
    )
    console.print(fees(instant))
    console.print(
        f"{format_ether(addition.ether)} ether and {format_ether(addition.shares)} slETH go in"
        + (f", of which {format_ether(addition.staked)} ether are staked for now" if addition.staked else "")
        + f". That is {format_ether(quoted)} liquidity, {quoted / (supply + quoted):.4%} of the pool; at least "
        f"{format_ether(least)}."
    )
    cost = addition.ether + instant.worth(addition.shares) - instant.worth_of_liquidity(quoted)
    if addition.shares and cost > quoted // 100_000:
        console.print(
            f"More slETH than the pool's ratio counts as sold to it: {format_ether(cost)} ether less.", style="yellow"
        )
    if not yes:
        click.confirm("Send up to 3 transactions?", abort=True)
    came = stake_in(instant.vault, instant.sleth, sender, addition.staked)[0] if addition.staked else 0
    before = instant.liquidity(sender.address)
    deadline = sender.next_time() + PATIENCE
    receipt = instant.add(sender, addition.ether, addition.own + came, least, deadline)
    held = instant.liquidity(sender.address)
    console.print(f"{format_ether(held - before)} liquidity came ({receipt.gas_used:,} gas, {receipt.tx_hash}).")
    console.print(
        f"{sender.address} has {format_ether(held)}, worth {format_ether(instant.worth_of_liquidity(held))} ether."
    )


def take_out(session: Session, instant: Instant, part: Fraction | None, slippage: Fraction, *, yes: bool) -> None:
    """A part of the account's liquidity, if any, and what has come for earlier ones."""
    sender, owner = session.sender, session.sender.address
    held = instant.liquidity(owner)
    if part is not None and not held:
        raise ActionError(f"{owner} has no liquidity in the pool; --claim takes what has come from the queue.")
    if part is None and not instant.rests(owner):
        raise ActionError(f"Nothing of {owner} is in the queue.")
    collect_first(session, instant, yes=yes)
    ready = [rest for rest in instant.rests(owner) if rest.ready]
    if part is not None:
        removal = instant.removal(int(held * part))
        least = int(removal.assets * (1 - slippage)), int(removal.shares * (1 - slippage))
        console.print(
            f"{format_ether(removal.liquidity)} of {format_ether(held)} liquidity of {owner} bring "
            f"{format_ether(removal.assets)} ether and {format_ether(removal.shares)} slETH; at least "
            f"{format_ether(least[0])} and {format_ether(least[1])}."
        )
        if removal.awaited:
            console.print(f"{format_ether(removal.awaited)} slETH of it are in the queue: ether for them comes later.")
    if ready:
        console.print(f"Ether for {format_ether(sum(rest.ready for rest in ready))} slETH has come from the queue.")
    count = len(ready) + (part is not None)
    if count and not yes:
        click.confirm(f"Send {count} transaction{'s' if count > 1 else ''}?", abort=True)
    if part is not None:
        receipt = instant.remove(sender, removal, least)
        console.print(f"Taken out ({receipt.gas_used:,} gas, {receipt.tx_hash}).")
    for rest in ready:
        console.print(f"{format_ether(instant.claim(sender, rest))} ether came from the queue.")
    if waiting := sum(rest.shares for rest in instant.rests(owner)):
        console.print(
            f"{format_ether(waiting)} slETH are still in the queue, worth {format_ether(instant.worth(waiting))} ether."
            " When they are paid: `ape run provide --claim`."
        )


# --- Uniswap ---


def to_uniswap(provider: ProviderAPI, session: Session, ether: str, width: float, *, yes: bool) -> None:
    amount, sender = parse_ether(ether, "ETHER"), session.sender
    markets = open_markets(provider, session, yes=yes)
    pool = markets.pool
    rate, part = Fraction(markets.rate, 10**18), Fraction(str(width)) / 100
    low, high = rate * (1 - part), rate * (1 + part)
    staked = int(amount * pool.sleth_part(low, high))
    held = session.reader.balance(sender.address)
    if held <= amount:
        raise ActionError(f"{sender.address} holds {format_ether(held)} ether and needs some more than that.")
    minimum = int(markets.vault.read("MIN_STAKE"))
    if 0 < staked < minimum:
        raise ActionError(f"{format_ether(staked)} ether to stake is below the minimum of {format_ether(minimum)}.")
    price = pool.price()
    console.print(f"Position for {sender.address}", style="bold")
    console.print(
        f"Core rate {float(rate):.6f}, pool at {float(price):.6f}, range {float(low):.6f} to {float(high):.6f}."
    )
    if abs(price / rate - 1) > FAR:
        console.print("The pool is more than 1% from the rate: you would be arbitraged.", style="yellow")
    console.print(f"{format_ether(staked)} ether are staked, {format_ether(amount - staked)} wrapped.")
    if not yes:
        click.confirm("Send up to 5 transactions?", abort=True)
    shares = markets.stake(sender, staked)[0] if staked else 0
    markets.wrap(sender, amount - staked)
    position = pool.provide(sender, shares, amount - staked, low, high)
    console.print(
        f"Position {position.id}: {format_ether(position.sleth)} slETH and {format_ether(position.weth)} wrapped ether."
    )
    left = shares - position.sleth, amount - staked - position.weth
    console.print(f"Left over: {format_ether(left[0])} slETH and {format_ether(left[1])} wrapped ether.")
    console.print(f"The pool holds {' slETH and '.join(format_ether(each) for each in pool.reserves())} wrapped ether.")


@click.command(cls=NodeCommand, epilog=EPILOG, short_help="Provide ether and slETH, and take them out.")
@ape_cli_context()
@click.argument("ether", required=False)
@click.option(
    "--to",
    type=click.Choice(["instant", "uniswap"]),
    default="instant",
    show_default=True,
    help="The protocol's own pool, or Uniswap v3 (local chains).",
)
@click.option("--sleth", help="slETH to add beside ETHER, or `all`, in place of the pool's ratio; both may be 0.")
@click.option("--remove", metavar="PART", help="Take that part of the liquidity out, for example 50% or all.")
@click.option("--claim", is_flag=True, help="Take what has come from the queue for what was taken out before.")
@click.option(
    "--slippage",
    type=click.FloatRange(0, 50),
    default=0.1,
    show_default=True,
    help="Percent that may come less than shown (instant pool).",
)
@click.option(
    "--width",
    type=click.FloatRange(0.1, 50),
    help="Percent that the range reaches below and above the core rate (Uniswap).  [default: 1]",
)
@click.option("--yes", is_flag=True, help="Do not ask before sending.")
@account_option(prompt=False)
@common_options
def cli(
    _cli_ctx: object,
    provider: ProviderAPI,
    ether: str | None,
    to: str,
    sleth: str | None,
    remove: str | None,
    claim: bool,
    slippage: float,
    width: float | None,
    yes: bool,
    account: AccountAPI | None,
    params_path: Path,
    registry: Path | None,
) -> None:
    """Provide a worth of ETHER in ether and slETH, or take it out again.

    The instant pool pays who leaves at once, for a fee that is its providers'. ETHER is divided in the pool's ratio:
    slETH of the account goes first, ether is staked for what is missing. What is taken out comes at once and without a
    fee, but for the part that the pool has in the queue.

    On Uniswap ETHER becomes slETH and wrapped ether around the core rate. A narrow range earns more of the fees and is
    left sooner: the rate grows, the range does not. Markets that are not on the local chain yet are put there first.
    """
    with explained():
        if [ether is not None, remove is not None, claim].count(True) != 1:
            raise ActionError("Give one of ETHER, --remove and --claim.")
        if to == "uniswap" and (ether is None or sleth is not None):
            raise ActionError("--remove, --claim and --sleth are of the instant pool.")
        if width is not None and to != "uniswap":
            raise ActionError("--width is of Uniswap: add --to uniswap.")
        if sleth is not None and ether is None:
            raise ActionError("--sleth is added beside ETHER: give both; ETHER may be 0.")
        part = part_of(remove) if remove is not None else None
        session = open_session(provider, params_path, registry, account, index=7)
        if ether is not None and to == "uniswap":
            to_uniswap(provider, session, ether, 1 if width is None else width, yes=yes)
            return
        instant, tolerance = Instant.at(chain_of(session), session.registry), Fraction(str(slippage)) / 100
        if ether is not None:
            add(session, instant, ether, sleth, tolerance, yes=yes)
        else:
            take_out(session, instant, part, tolerance, yes=yes)
