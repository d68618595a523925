"""Markets that slETH is shown to work in: real Uniswap v3, Aave v3 and Morpho Blue, put on a local chain.

Their code comes from their own npm packages (`make setup`), nothing of it is copied. Each deployment is idempotent:
contracts stand where CREATE2 puts them, what is there is not sent again. Amounts are wei, prices ether per slETH.

chain = Chain(reader, ROOT / "node_modules", artifacts)
markets = Markets.deploy(chain, sender, registry)            # or Markets.find(chain, registry, path)
markets.pool.swap(sender, markets.sleth, ether(3))
markets.aave.borrow(sender, markets.weth, ether(1))

The protocol's own pool and farm are spoken to in the same way: `instant.py`, `farming.py`.
"""
