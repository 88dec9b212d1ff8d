"""The export of trades: what a person hands to a tax office."""

from __future__ import annotations

import random
from datetime import timedelta

from store_rows import NOON, D, a_fill, a_request

from trading.ledger.export import COLUMNS, trade_rows
from trading.orders.models import Leg, OrderType, Side

BUY = a_request()
SELL = a_request(leg=Leg.TARGET, side=Side.SELL, type=OrderType.MARKET)
FILLS = [
    # bought 0.3 in two lots, sold 0.2 of them; fees in base on the way in, in quote on the way out
    a_fill(BUY, trade_id="9", quantity=D("0.1"), price=D("5000"), commission=D(0), filled_at=NOON),
    a_fill(BUY, trade_id="10", quantity=D("0.2"), price=D("5100"), commission=D("0.0002"), filled_at=NOON),
    a_fill(SELL, trade_id="11", quantity=D("0.2"), price=D("6000"), filled_at=NOON + timedelta(hours=1)),
]


def test_each_fill_is_a_row_with_what_first_in_first_out_gained() -> None:
    assert COLUMNS == ("time", "pair", "side", "quantity", "price", "fee", "fee_asset", "fifo_gain")
    first, second, sold = trade_rows(FILLS)
    assert first == ("2020-03-12T12:00:00Z", "BTC/USDT", "BUY", "0.1", "5000", "0", "BTC", "0")
    assert second == ("2020-03-12T12:00:00Z", "BTC/USDT", "BUY", "0.2", "5100", "0.0002", "BTC", "0")
    # 1200 - 0.5 of fee, less the whole first lot (500) and 0.1 of 0.1998 that cost 1020
    gain = D("1199.5") - D(500) - D("0.1") / D("0.1998") * D(1020)
    assert sold[:7] == ("2020-03-12T13:00:00Z", "BTC/USDT", "SELL", "0.2", "6000", "0.5", "USDT")
    assert abs(D(sold[7]) - gain) < D("0.00000002")


def test_the_order_in_which_fills_come_and_repeats_change_nothing() -> None:
    shuffled = [*FILLS, *FILLS]
    random.Random(3).shuffle(shuffled)
    assert trade_rows(shuffled) == trade_rows(FILLS)


def test_small_amounts_are_written_out_and_not_rounded() -> None:
    tiny = a_fill(BUY, quantity=D("0.00000001"), price=D("0.00001234"), commission=D("1E-11"))
    ((_, _, _, quantity, price, fee, _, _),) = trade_rows([tiny])
    assert (quantity, price, fee) == ("0.00000001", "0.00001234", "0.00000000001")
