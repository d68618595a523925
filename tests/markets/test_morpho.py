"""slETH in Morpho Blue: a market that lends ether on it, priced by the core rate at Morpho's scale."""

from __future__ import annotations

import ape
import pytest

from sluice.markets.contracts import MarketError
from sluice.markets.morpho import LLTV, SCALE, WAD, Morpho, morpho_code
from tests.helpers import DAY, ETHER, GWEI, now, report_as_oracle, warp_to
from tests.markets.world import core_of
from tests.protocol import ROOT


def up(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)


@pytest.fixture(scope="session")
def code():
    return morpho_code(ROOT / "node_modules", ROOT / ".build")


@pytest.fixture(scope="module")
def morpho(markets, protocol, code):
    deployer = protocol.actors.deployer
    oracle = deployer.deploy(ape.project.SlEthMorphoOracle, protocol.vault)
    return Morpho.deploy(markets.chain, markets.sender(deployer), code, markets.sleth, markets.weth, oracle.address)


@pytest.fixture
def lender(markets, morpho, protocol):
    morpho.lend(markets.wrap(protocol.actors.other, 500 * ETHER), 500 * ETHER)
    return protocol.actors.other


@pytest.fixture
def borrower(markets, morpho, lender, protocol):
    """With slETH of a hundred ether as collateral."""
    who = protocol.actors.staker
    morpho.supply(markets.sender(who), markets.stake(who, 100 * ETHER))
    return who


def test_second_deployment_sends_nothing(markets, morpho, protocol, code):
    height = ape.chain.blocks.height
    sender = markets.sender(protocol.actors.deployer)
    again = Morpho.deploy(markets.chain, sender, code, markets.sleth, markets.weth, morpho.oracle)
    assert again == morpho
    assert ape.chain.blocks.height == height


def test_loan_up_to_the_limit_at_the_core_rate_and_not_a_wei_more(markets, morpho, borrower, protocol):
    vault, sender = protocol.vault, markets.sender(borrower)
    loan = morpho.loan(borrower.address)
    price = SCALE * vault.totalAssets() // vault.supply()
    assert loan.most == loan.collateral * price // SCALE * LLTV // WAD
    assert abs(loan.most - 945 * ETHER // 10) < 10
    with pytest.raises(MarketError, match=r"^The call fails: insufficient collateral\.$"):
        morpho.borrow(sender, loan.most + 1)
    morpho.borrow(sender, loan.most)
    assert markets.chain.balance(markets.weth, borrower.address) == loan.most
    assert morpho.loan(borrower.address).debt == loan.most


def test_debt_repaid_and_collateral_withdrawn_leaves_nothing(markets, morpho, borrower):
    sender = markets.sender(borrower)
    morpho.borrow(sender, 50 * ETHER)
    warp_to(now() + 30 * DAY)
    morpho.repay(sender)  # no interest
    collateral = morpho.loan(borrower.address).collateral
    morpho.withdraw(sender, collateral)
    assert markets.chain.balance(markets.sleth, borrower.address) == collateral
    assert markets.chain.balance(markets.weth, borrower.address) == 0
    loan = morpho.loan(borrower.address)
    assert (loan.collateral, loan.debt, loan.most) == (0, 0, 0)


def test_gain_makes_room_as_it_vests_and_a_slashing_takes_it(markets, morpho, borrower, protocol):
    vault = protocol.vault
    collateral, before = morpho.loan(borrower.address).collateral, morpho.loan(borrower.address).most
    report_as_oracle(protocol, gain=50 * ETHER)
    assert morpho.loan(borrower.address).most - before <= 1
    warp_to(now() + 30 * DAY)
    gained = morpho.loan(borrower.address).most
    assert gained == collateral * (SCALE * vault.totalAssets() // vault.supply()) // SCALE * LLTV // WAD > before
    total, supply, loss = vault.totalAssets(), vault.supply(), 33_333_333_333 * GWEI
    report_as_oracle(protocol, gain=-loss, faults=0)
    price = SCALE * (total - loss) // supply
    assert morpho.loan(borrower.address).most == collateral * price // SCALE * LLTV // WAD < gained


def test_liquidation_pays_the_incentive_in_slETH_and_nothing_of_the_core_moves(markets, morpho, borrower, protocol):
    sender, liquidator = markets.sender(borrower), protocol.actors.stranger
    morpho.borrow(sender, morpho.loan(borrower.address).most)
    liquidating = markets.wrap(liquidator, 60 * ETHER)
    with pytest.raises(MarketError, match="position is healthy"):
        morpho.liquidate(liquidating, borrower.address, ETHER)
    report_as_oracle(protocol, gain=-20 * ETHER, faults=0)
    assert not morpho.loan(borrower.address).healthy

    before, owed, seized = core_of(protocol), morpho.loan(borrower.address).debt, 40 * ETHER + 1
    price = SCALE * protocol.vault.totalAssets() // protocol.vault.supply()
    _, _, total, total_shares, _, _ = morpho.contract.read("market", morpho.id)
    worth = up(seized * price, SCALE)
    shares = up(up(worth * WAD, int(morpho.incentive * WAD)) * (total_shares + 10**6), total + 1)
    paid = up(shares * (total + 1), total_shares + 10**6)
    morpho.liquidate(liquidating, borrower.address, seized)
    assert markets.chain.balance(markets.sleth, liquidator.address) == seized
    assert markets.chain.balance(markets.weth, liquidator.address) == 60 * ETHER - paid
    assert worth - paid == pytest.approx(paid * 1678 // 100_000, rel=0.001)  # 1 / (1 - 0.3 * 0.055)
    assert morpho.loan(borrower.address).debt == pytest.approx(owed - paid, abs=1)
    assert core_of(protocol) == before


def test_D11_market_works_on_while_a_slashing_is_proven_and_not_reported(markets, morpho, borrower, protocol):
    sender = markets.sender(borrower)
    morpho.borrow(sender, 50 * ETHER)
    protocol.vault.noteSlashing(sender=protocol.actors.depositor)
    morpho.repay(sender)
    morpho.withdraw(sender, morpho.loan(borrower.address).collateral)
