"""The markets are the real ones, they are put up once, and a second run sends nothing."""

from __future__ import annotations

import ape
import pytest
from eth_abi import encode
from eth_utils import keccak

from sluice.deploy.addresses import CREATE2_DEPLOYER
from sluice.deploy.chain import Reverted
from sluice.deploy.errors import ArtifactError, ChainError
from sluice.markets.aave import Aave, Listing
from sluice.markets.contracts import MarketError, package_code
from sluice.markets.local import Markets as RealMarkets
from sluice.markets.local import MarketsRecord, record_path
from sluice.markets.uniswap import Uniswap
from tests.protocol import ROOT
from tests.reverts import ERROR_STRING

POOL_INIT_CODE_HASH = "e34f199b19b2b4f47f68442619d555527d244f78a3297ea89325f843f87b8b54"
"""Of the pools on mainnet; the periphery's contracts find pools by it."""


def test_pools_have_the_code_of_those_on_mainnet():
    code = package_code(ROOT / "node_modules", "@uniswap/v3-core", "contracts/UniswapV3Pool.sol")
    assert keccak(code.linked({})).hex() == POOL_INIT_CODE_HASH


def test_second_deployment_sends_nothing(markets, protocol):
    sender = markets.sender(protocol.actors.deployer)
    block = ape.chain.blocks.height
    uniswap = Uniswap.deploy(markets.chain, sender, markets.weth)
    assert uniswap == markets.uniswap
    assert uniswap.create_pool(sender, markets.sleth, markets.rate) == markets.pool
    listings = {markets.sleth: Listing.staked_ether(markets.feed.address), markets.weth: Listing.wrapped_ether()}
    assert Aave.deploy(markets.chain, sender, markets.weth, listings) == markets.aave
    assert ape.chain.blocks.height == block


def test_markets_are_found_again_by_their_addresses(markets):
    uniswap = markets.uniswap
    names = (uniswap.factory, uniswap.positions, uniswap.router, uniswap.quoter)
    again = Uniswap.at(markets.chain, markets.weth, *(contract.address for contract in names))
    assert again == uniswap
    assert again.pool(markets.sleth) == markets.pool
    assert Aave.at(markets.chain, markets.weth, markets.aave.provider.address) == markets.aave


def test_record_finds_the_markets_of_its_deployment_and_of_no_other(markets, protocol, tmp_path):
    real, registry = markets.real, protocol.result.registry
    path = record_path(tmp_path / "local.json")
    assert path == tmp_path / "local-markets.json"
    assert RealMarkets.find(markets.chain, registry, path) is None
    real.write(path)
    assert RealMarkets.find(markets.chain, registry, path) == real
    known = MarketsRecord.model_validate_json(path.read_text())
    for change in ({"genesis_hash": "0x00"}, {"chain_id": 1}, {"vault": markets.weth}, {"aave": "0x" + 39 * "0" + "9"}):
        path.write_text(known.model_copy(update=change).model_dump_json())
        assert RealMarkets.find(markets.chain, registry, path) is None
    path.write_text("{}")
    with pytest.raises(MarketError, match="is damaged; delete it"):
        RealMarkets.find(markets.chain, registry, path)


def test_pool_starts_at_the_core_rate(markets):
    """To the precision of Uniswap's square root, and never above."""
    price = markets.pool.price() * 10**18
    assert abs(price - markets.rate) < 1


def test_position_draws_itself(markets, protocol):
    """The descriptor and its library are linked: a token has a picture."""
    provider = protocol.actors.other
    sender = markets.wrap(provider, 10**18)
    shares = markets.stake(provider, 10**18)
    price = markets.pool.price()
    position = markets.pool.provide(sender, shares, 10**18, price * 99 / 100, price * 101 / 100)
    uri = markets.uniswap.positions.read("tokenURI", position.id)
    assert uri.startswith("data:application/json;base64,")


def test_linking_names_the_library_that_is_missing():
    code = package_code(ROOT / "node_modules", "@aave/core-v3", "contracts/protocol/pool/Pool.sol")
    assert len(code.libraries) == 7
    with pytest.raises(ArtifactError, match="Pool needs the library"):
        code.linked({})
    linked = code.linked(dict.fromkeys(code.libraries, "0x" + "ab" * 20))
    assert linked.count(bytes.fromhex("ab" * 20)) == len(code.links)


def test_package_that_is_not_there_says_what_to_do(tmp_path):
    with pytest.raises(ArtifactError, match=r"^@aave/core-v3 has no Pool .*: run `make setup`$"):
        package_code(tmp_path, "@aave/core-v3", "contracts/protocol/pool/Pool.sol")


def test_aave_prices_in_ether(markets):
    assert markets.aave.price(markets.weth) == 10**18
    assert markets.aave.price(markets.sleth) == markets.rate == markets.feed.latestAnswer()
    assert int(markets.aave.oracle.read("BASE_CURRENCY"), 16) == int(markets.weth, 16)


def test_listing_is_what_was_asked_for(markets):
    found = markets.aave.data.read("getReserveConfigurationData", markets.sleth)
    assert found == (18, 7_450, 7_700, 10_750, 1_500, True, False, False, True, False)
    found = markets.aave.data.read("getReserveConfigurationData", markets.weth)
    assert found == (18, 8_050, 8_300, 10_500, 1_500, True, True, False, True, False)


def test_nobody_owns_the_factory(markets):
    """It was put there through the CREATE2 deployer, which can only deploy."""
    owner = markets.uniswap.factory.read("owner")
    assert owner == "0x4e59b44847b379578588920ca78fbf26c0b4956c"


def test_refusals_are_put_in_words(markets, protocol):
    """Of a market that says why, of Aave that gives a number, of the core, and of nobody known."""
    chain = markets.chain
    said = ERROR_STRING + encode(["string"], ["STF"])
    assert chain.reason(Reverted(said, "")) == "The call fails: STF."
    numbered = ERROR_STRING + encode(["string"], ["36"])
    assert chain.reason(Reverted(numbered, "")).startswith(
        "Aave refuses with COLLATERAL_CANNOT_COVER_NEW_BORROW (36): "
    )
    assert chain.reason(Reverted(ERROR_STRING + encode(["string"], ["987"]), "")) == "The call fails: 987."
    assert chain.reason(Reverted(ERROR_STRING + b"\1", "")) == "The call fails with unknown data 0x08c379a001."
    assert chain.reason(Reverted(b"\1\2\3\4", "")) == "The call fails with unknown data 0x01020304."
    with pytest.raises(MarketError, match=r"^StakeBelowMinimum\(given=1, minimum=1000000000000000\): Stake at least"):
        markets.real.stake(markets.sender(protocol.actors.other), 1)


def test_chain_without_the_create2_deployer_is_told(markets, protocol):
    code = markets.chain.own_code("BalancerRateProvider")
    ape.chain.provider.make_request("anvil_setCode", [CREATE2_DEPLOYER, "0x"])
    with pytest.raises(ChainError, match=f"no CREATE2 deployer at {CREATE2_DEPLOYER}"):
        markets.chain.deploy(markets.sender(protocol.actors.other), code, {"vault_": protocol.vault.address})
