"""Provide ether and slETH, and take them out: the instant pool, or Uniswap v3 around the core rate."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click
from ape.cli import account_option, ape_cli_context
from rich.table import Table

from scripts._markets import chain_of, find_markets, open_markets
from scripts._session import (
    PATIENCE,
    NodeCommand,
    Session,
    common_options,
    console,
    explained,
    open_session,
    transactions,
)
from sluice.client import ActionError, format_ether, parse_ether
from sluice.markets.farming import Farm
from sluice.markets.instant import Addition, Instant
from sluice.markets.local import stake_in

if TYPE_CHECKING:
    from ape.api import AccountAPI, ProviderAPI

    from sluice.markets.local import Markets

EPILOG = """
\b
Examples (with --network http://127.0.0.1:8545):
  ape run provide 20                         # to the instant pool, in its ratio
  ape run provide 5 --sleth all --yes        # 5 ether and all slETH of the account
  ape run provide 0 --sleth 2                # slETH alone, of which a part counts as sold to the pool
  ape run provide --remove 50%
  ape run provide --claim                    # what has come since from the queue
  ape run provide 20 --to uniswap --width 0.5
  ape run provide --remove all --to uniswap
"""
FAR = Fraction(1, 100)
"""A pool that is farther from the rate than this is worth a warning."""
SHOWN = 10**12
"""Wei; six places hide less."""
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


def fees(instant: Instant, ether: int, liquidity: int) -> Table:
    """As the pool is, and as it will be with so much more in it."""
    table = Table("to leave with", "costs now", "of it", "costs then", "of it", box=None, pad_edge=False)
    available, after = instant.legs()[0], instant.curve_with(liquidity)
    for size in SIZES:
        if out := int(available * size):
            sale = instant.sale_for(out)
            then = after.cost(available + ether, out)
            table.add_row(
                f"{format_ether(out)} ether",
                f"{format_ether(sale.fee)} ether",
                f"{float(sale.fee_part):.3%}",
                f"{format_ether(int(then - out))} ether",
                f"{float((then - out) / then):.3%}",
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
        if not held and (shares or sleth == "all"):
            raise ActionError(f"{owner} holds no slETH: `ape run stake` first.")
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
        "in the queue. What leaving through it costs now, and what then, with your addition:"
    )
    console.print(fees(instant, addition.ether, quoted))
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
        approval = instant.chain.allowed(instant.sleth, sender.address, instant.pool.address) < addition.shares
        click.confirm(f"Send {transactions(1 + approval + bool(addition.staked))}?", abort=True)
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
    farm = Farm.at(instant.chain, session.registry)
    farmed = farm.staked(farm.token("lp"), owner)
    if part is not None and farmed:
        hint = f"{format_ether(farmed)} liquidity of {owner} is in the farm: `ape run farm exit` brings it back"
        if not held:
            raise ActionError(f"{hint}; then take it out here.")
        console.print(f"{hint}. What follows is of the rest.", style="yellow")
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
        click.confirm(f"Send {transactions(count)}?", abort=True)
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


class Pairing(NamedTuple):  # ape runs scripts outside of sys.modules, where dataclasses look for their annotations
    """What goes into a position: slETH and wrapped ether in hand first, then ether for what is missing; wei."""

    own: int
    """slETH."""
    staked: int
    weth: int
    wrapped: int
    shares: int
    """All slETH; a little less comes for `staked` when the rate has risen."""


def pairing(markets: Markets, owner: str, amount: int, low: Fraction, high: Fraction) -> Pairing:
    """A worth of `amount` in the ratio of the range. What an interrupted run has staked or wrapped is used."""
    chain, vault, minimum = markets.chain, markets.vault, int(markets.vault.read("MIN_STAKE"))
    in_sleth = int(amount * markets.pool.sleth_part(low, high))
    needed = int(vault.read("convertToShares", in_sleth))
    own = min(chain.balance(markets.sleth, owner), needed)
    staked = in_sleth - int(vault.read("convertToAssets", own))
    if 0 < staked < minimum:
        if not own:
            raise ActionError(f"{format_ether(staked)} ether to stake is below the minimum of {format_ether(minimum)}.")
        staked, needed = 0, own  # wrapped ether that finds no slETH beside it stays with the account
    weth = min(chain.balance(markets.weth, owner), amount - in_sleth)
    return Pairing(own, staked, weth, amount - in_sleth - weth, needed)


def to_uniswap(provider: ProviderAPI, session: Session, ether: str, width: float, *, yes: bool) -> None:
    amount, sender = parse_ether(ether, "ETHER"), session.sender
    markets = open_markets(provider, session, yes=yes)
    pool = markets.pool
    rate, part = Fraction(markets.rate, 10**18), Fraction(str(width)) / 100
    low, high = rate * (1 - part), rate * (1 + part)
    put_in = pairing(markets, sender.address, amount, low, high)
    held = session.reader.balance(sender.address)
    if held <= put_in.staked + put_in.wrapped:
        raise ActionError(f"{sender.address} holds {format_ether(held)} ether and needs some more than that.")
    price = pool.price()
    console.print(f"Position for {sender.address}", style="bold")
    console.print(
        f"Core rate {float(rate):.6f}, pool at {float(price):.6f}, range {float(low):.6f} to {float(high):.6f}."
    )
    if abs(price / rate - 1) > FAR:
        console.print("The pool is more than 1% from the rate: you would be arbitraged.", style="yellow")
    if max(put_in.own, put_in.weth) >= SHOWN:
        console.print(
            f"{format_ether(put_in.own)} slETH and {format_ether(put_in.weth)} wrapped ether of the account go first."
        )
    console.print(f"{format_ether(put_in.staked)} ether are staked, {format_ether(put_in.wrapped)} wrapped.")
    if not yes:
        approvals = sum(
            markets.chain.allowed(token, sender.address, pool.uniswap.positions.address) < needed
            for token, needed in ((markets.sleth, put_in.shares), (markets.weth, put_in.weth + put_in.wrapped))
        )
        click.confirm(f"Send {transactions(1 + approvals + bool(put_in.staked) + bool(put_in.wrapped))}?", abort=True)
    shares = put_in.own + (markets.stake(sender, put_in.staked)[0] if put_in.staked else 0)
    if put_in.wrapped:
        markets.wrap(sender, put_in.wrapped)
    weth = put_in.weth + put_in.wrapped
    position = pool.provide(sender, shares, weth, low, high)
    console.print(
        f"Position {position.id}: {format_ether(position.sleth)} slETH and {format_ether(position.weth)} wrapped ether."
    )
    left = shares - position.sleth, weth - position.weth
    console.print(f"Left over: {format_ether(left[0])} slETH and {format_ether(left[1])} wrapped ether.")
    console.print(f"The pool holds {' slETH and '.join(format_ether(each) for each in pool.reserves())} wrapped ether.")


def from_uniswap(session: Session, part: Fraction, *, yes: bool) -> None:
    """That part of each position of the account, with its fees."""
    sender, markets = session.sender, find_markets(session)
    pool = markets.pool
    positions = pool.held_by(sender.address)
    if not positions:
        raise ActionError(f"{sender.address} has no position in the pool.")
    for each in positions:
        held, owed = pool.principal(each), pool.tokens_owed(each)
        console.print(
            f"Position {each}: {format_ether(int(held[0] * part))} slETH and {format_ether(int(held[1] * part))} ether "
            f"of {format_ether(held[0])} and {format_ether(held[1])}, and fees of {format_ether(owed[0])} slETH and "
            f"{format_ether(owed[1])} ether."
        )
    if not yes:
        click.confirm(f"Send {transactions(1)}?", abort=True)
    sleth, ether = pool.take_out(sender, positions, part)
    console.print(f"{format_ether(sleth)} slETH and {format_ether(ether)} ether came.")


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
    help="Percent that may come less than shown (instant pool).  [default: 0.1]",
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
    slippage: float | None,
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
    left sooner: the rate grows, the range does not. slETH and wrapped ether of the account go first, so a run that was
    interrupted can be run again. --remove takes that part of all positions out, with their fees, as slETH and ether.
    Markets that are not on the local chain yet are put there first.

    On a local chain the account is TEST::7 where none is given.
    """
    with explained():
        if [ether is not None, remove is not None, claim].count(True) != 1:
            raise ActionError("Give one of ETHER, --remove and --claim.")
        if to == "uniswap" and (claim or sleth is not None or slippage is not None):
            raise ActionError("--claim, --sleth and --slippage are of the instant pool.")
        if claim and slippage is not None:
            raise ActionError("--slippage goes with ETHER and --remove: what is claimed has no price.")
        if width is not None and (to != "uniswap" or ether is None):
            raise ActionError("--width goes with ETHER and --to uniswap.")
        if sleth is not None and ether is None:
            raise ActionError("--sleth is added beside ETHER: give both; ETHER may be 0.")
        part = part_of(remove) if remove is not None else None
        session = open_session(provider, params_path, registry, account, index=7)
        if to == "uniswap":
            if ether is not None:
                to_uniswap(provider, session, ether, 1 if width is None else width, yes=yes)
            elif part is not None:
                from_uniswap(session, part, yes=yes)
            return
        instant = Instant.at(chain_of(session), session.registry)
        tolerance = Fraction(1, 1_000) if slippage is None else Fraction(str(slippage)) / 100
        if ether is not None:
            add(session, instant, ether, sleth, tolerance, yes=yes)
        else:
            take_out(session, instant, part, tolerance, yes=yes)
