"""The sections about what happened in a period; each is a function of a review and says what is not known."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from trading.money import ZERO
from trading.reports.models import Block, Column, Items, Section, Table, Text
from trading.reports.wording import UNKNOWN, moment, number, percent, price, span, usd, words, yes_no
from trading.review.execution import ExecutionQuality
from trading.review.labels import REASONS, LabelledTrade
from trading.review.models import ReviewedOrder
from trading.review.review import PeriodRecords, PeriodReview


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, empty: str = "none") -> Table:
    """A table whose column titles begin with `#` where they hold numbers."""
    return Table(
        columns=tuple(Column(title=title.removeprefix("#"), is_number=title.startswith("#")) for title in columns),
        rows=tuple(tuple(row) for row in rows),
        empty=empty,
    )


def overview(review: PeriodReview, records: PeriodRecords) -> Section:
    """The period in one look (S2-241)."""
    row, summary = review.standing, review.summary
    entries = [order for order in records.orders if order.executed_quantity > 0]
    buys = sum(1 for order in entries if order.side == "BUY")
    lines = [
        ("equity at the start", usd(row.start_usd if row else None) + " USD"),
        ("equity at the end", usd(row.end_usd if row else None) + " USD"),
        ("return", percent(row.return_fraction if row else None, signed=True)),
        ("buy and hold", percent(records.buy_and_hold_return, signed=True)),
        ("excess", percent(row.excess_return if row else None, signed=True)),
        ("closed trades", f"{summary.trades} ({summary.profitable} won)"),
        ("filled orders", f"{len(entries)} ({buys} buys, {len(entries) - buys} sells)"),
        ("win rate", percent(summary.win_rate, places=1)),
        ("profit and loss", usd(summary.pnl_usd, signed=True) + " USD"),
        ("profit factor", number(summary.profit_factor)),
        ("mean return of a trade", percent(summary.mean_return, signed=True)),
        ("mean expected return", percent(summary.mean_expected_return, signed=True)),
        ("largest drawdown", percent(row.max_drawdown if row else None)),
        ("Sharpe", number(row.sharpe if row else None)),
        ("score", f"{number(row.score, places=1)} of 100" if row else UNKNOWN),
    ]
    blocks: list[Block] = [table(("measure", "#value"), lines)]
    if summary.insights:
        blocks.append(Items(items=summary.insights))
    return Section(heading="Overview", blocks=tuple(blocks))


def accounts(review: PeriodReview) -> Section:
    """The accounts by rank, with holding as the benchmark row (S2-172 to S2-174)."""
    rows: list[tuple[str, ...]] = [
        (
            str(row.rank),
            row.account,
            percent(row.return_fraction, signed=True),
            str(row.trades),
            percent(row.win_rate, places=1),
            percent(row.max_drawdown),
            number(row.sharpe),
            number(row.score, places=1),
            row.word,
            percent(row.random_percentile, places=0),
        )
        for row in review.comparison.standings
    ]
    hold = percent(review.comparison.buy_and_hold_return, signed=True)
    rows.append(("", "buy and hold", hold, "", "", "", "", "", "", ""))
    titles = (
        "#rank", "account", "#return", "#trades", "#win rate", "#drawdown", "#Sharpe", "#score", "status",
        "#beats random runs",
    )  # fmt: skip
    return Section(heading="Accounts", blocks=(table(titles, rows), *_baselines(review)))


def _baselines(review: PeriodReview) -> list[Block]:
    """What the accounts' trades came to against chance, with equal turnover and costs (C58)."""
    if not review.comparison.standings:
        return []
    if not review.baselines:
        return [Text(text="No random baseline: no closed trade, or no prices of the period are kept.")]
    said = [
        f"{each.account}: closed trades {each.trades}, {usd(each.own_usd, signed=True)} USD; {each.runs} random "
        f"runs of the same trades at the same costs came to {usd(each.mean_usd, signed=True)} USD on average, and "
        f"{percent(each.percentile, places=0)} of them came to less"
        f"{f' ({each.left_out} trades have no room in the known prices)' if each.left_out else ''}."
        for each in review.baselines
    ]
    return [Items(items=tuple(said))]


def trades(review: PeriodReview) -> Section:
    """Each closed trade with its label, grade and reasons (S2-79, S2-160)."""
    rows = [
        (
            moment(each.trade.closed_at),
            each.trade.symbol,
            usd(each.trade.pnl_usd, signed=True),
            percent(each.trade.return_fraction, signed=True),
            percent(each.expected_return, signed=True),
            each.trade.exit_reason,
            span(each.trade.held),
            each.label.value,
            words(each.grade.value),
            "; ".join(REASONS[reason] for reason in each.reasons),
            each.trade.decision_id,
        )
        for each in review.trades
    ]
    titles = (
        "closed", "symbol", "#USD", "#return", "#expected", "exit", "#held", "label", "grade", "why", "decision",
    )  # fmt: skip
    return Section(heading="Closed trades", blocks=(table(titles, rows, empty="No trade was closed."),))


def learning_cases(review: PeriodReview) -> Section:
    """The best trade as a case to learn from, and the worst with its causes (S2-243, S2-244)."""
    blocks: list[Block] = []
    if review.extremes.best:
        blocks.append(Text(text="Best: " + _case(review.extremes.best[0])))
    if review.extremes.worst:
        blocks.append(Text(text="Worst: " + _case(review.extremes.worst[0])))
    return Section(heading="Learning cases", blocks=tuple(blocks) or (Text(text="No trade was closed."),))


def _case(each: LabelledTrade) -> str:
    trade, entries, exits = each.trade, each.trade.entries, each.trade.exits
    bought = f"{price(_quantity(entries))} at {price(_average(entries))}" if entries else "entry not on record"
    sold = f"sold at {price(_average(exits))}" if exits else "exit not on record"
    because = "; ".join(REASONS[reason] for reason in each.reasons)
    return (
        f"{trade.symbol} {bought} ({moment(trade.opened_at)}), {sold} ({moment(trade.closed_at)}, "
        f"{trade.exit_reason}): {usd(trade.pnl_usd, signed=True)} USD, {percent(trade.return_fraction, signed=True)}; "
        f"{because}. Decision {trade.decision_id}."
    )


def _quantity(orders: Sequence[ReviewedOrder]) -> Decimal:
    return sum((order.executed_quantity for order in orders), ZERO)


def _average(orders: Sequence[ReviewedOrder]) -> Decimal | None:
    quantity = _quantity(orders)
    return sum((order.executed_quote for order in orders), ZERO) / quantity if quantity else None


def execution(review: PeriodReview) -> Section:
    """How well orders were executed (S2-66, S2-77)."""
    seen = review.execution
    rows = [
        ("orders", str(seen.orders)),
        ("taken by the venue", percent(seen.success_rate, places=1)),
        ("filled, of entries and sales", percent(seen.fill_rate, places=1)),
        ("mean slippage", percent(seen.slippage_fraction, places=4, signed=True)),
        ("worst slippage", percent(seen.worst_slippage_fraction, places=4, signed=True)),
        ("orders measured against a price", str(seen.measured_orders)),
        ("mean time to the first fill", UNKNOWN if seen.mean_latency_s is None else f"{seen.mean_latency_s:.1f} s"),
        ("turnover", usd(seen.turnover_usd) + " USD"),
        ("fees", f"{usd(seen.fees_usd)} USD ({percent(seen.fee_fraction, places=3)})"),
        ("verdict", _execution_verdict(seen)),
    ]
    return Section(heading="Execution", blocks=(table(("measure", "#value"), rows),))


def _execution_verdict(seen: ExecutionQuality) -> str:
    if not seen.orders:
        return "not judged: no orders"
    return "poor: " + ", ".join(map(words, seen.reasons)) if seen.is_poor else "within tolerance"


def decisions(review: PeriodReview, records: PeriodRecords) -> Section:
    """How the period's decisions ended, and what they cost."""
    tally = records.tally
    rows = [("ended", words(code), str(count)) for code, count in tally.outcomes]
    rows += [("refused by the gate", words(code), str(count)) for code, count in tally.denials]
    rows += [("finding", words(code), str(count)) for code, count in tally.findings]
    models = ", ".join(
        f"{each.name}{' (rules, no language model)' if each.is_rule_based else ''}" for each in records.models
    )
    said = (
        f"{tally.decisions} decisions, {tally.model_calls} model answers for "
        f"{usd(tally.models_cost_usd)} USD by {models or 'nobody'}."
    )
    return Section(
        heading="Decisions", blocks=(Text(text=said), table(("what", "code", "#count"), rows, empty="No decisions."))
    )


def positions(review: PeriodReview) -> Section:
    """What is held, its PnL by source, and whether the sources agree (C29)."""
    rows = [
        (
            each.symbol,
            price(each.quantity),
            usd(each.pnl_usd, signed=True),
            UNKNOWN if each.method is None else words(each.method),
            "; ".join(f"{words(method)} {usd(value, signed=True)}" for method, value in each.by_method) or "none",
            yes_no(each.is_consistent),
            ", ".join(words(method) for method in each.missing) or "none",
        )
        for each in review.pnl
    ]
    titles = ("symbol", "#quantity", "#unrealised USD", "by", "sources", "agree", "silent sources")
    return Section(heading="Held", blocks=(table(titles, rows, empty="Nothing is held."),))


def extremes(review: PeriodReview) -> Section:
    """The best and the worst five with their decision chains (S2-86)."""
    titles = ("#USD", "#return", "symbol", "closed", "decision", "chain")
    return Section(
        heading="Best and worst five",
        blocks=(
            Text(text="Best"),
            table(titles, [_extreme(each) for each in review.extremes.best], empty="No trade gained."),
            Text(text="Worst"),
            table(titles, [_extreme(each) for each in review.extremes.worst], empty="No trade lost."),
        ),
    )


def _extreme(each: LabelledTrade) -> tuple[str, ...]:
    trade, chain = each.trade, each.trade.chain
    links = "not on record"
    if chain is not None:
        links = "; ".join(
            f"{name} {text}"
            for name, text in (
                ("playbook", chain.playbook_version),
                ("facts", (chain.snapshot_hash or "")[:12]),
                ("recall", (chain.recall_hash or "")[:12]),
                ("answers", " ".join(h[:12] for h in chain.answer_hashes)),
                ("findings", " ".join(chain.finding_codes)),
                ("gate", " ".join(chain.gate_request_ids)),
                ("orders", " ".join(chain.client_order_ids)),
            )
            if text
        )
    return (
        usd(trade.pnl_usd, signed=True),
        percent(trade.return_fraction, signed=True),
        trade.symbol,
        moment(trade.closed_at),
        trade.decision_id,
        links,
    )


def by_symbol(review: PeriodReview) -> Section:
    """The closed trades by symbol and trend regime."""
    groups: dict[tuple[str, str], list[LabelledTrade]] = {}
    for each in review.trades:
        groups.setdefault((each.trade.symbol, each.trade.plan.trend_regime or "unknown"), []).append(each)
    rows = []
    for (symbol, regime), inside in sorted(groups.items()):
        won = sum(each.trade.won for each in inside)
        pnl = sum((each.trade.pnl_usd for each in inside), ZERO)
        share = percent(Decimal(won) / len(inside), places=1)
        rows.append((symbol, words(regime), str(len(inside)), share, usd(pnl, signed=True)))
    titles = ("symbol", "trend regime", "#trades", "#win rate", "#USD")
    return Section(heading="By symbol and regime", blocks=(table(titles, rows, empty="No trade was closed."),))


def key_findings(review: PeriodReview) -> Section:
    """Strength, weakness and improvement, each with its number (S2-175)."""
    found = [f"Strength: {_strength(review)}", f"Weakness: {_weakness(review)}", f"Improvement: {_improvement(review)}"]
    return Section(heading="Key findings", blocks=(Items(items=tuple(found)),))


def _strength(review: PeriodReview) -> str:
    best = review.comparison.best
    if best is not None and (best.return_fraction or ZERO) > 0:
        return f"{best.account} gained {percent(best.return_fraction, signed=True)}."
    if best is not None and best.excess_return is not None and best.excess_return > 0:
        how = "" if best.trades else ", without closing a trade"
        return f"{best.account} did better than holding by {percent(best.excess_return)}{how}."
    if review.extremes.best:
        return f"the best trade gained {usd(review.extremes.best[0].trade.pnl_usd)} USD."
    return "none that the records show."


def _weakness(review: PeriodReview) -> str:
    found = [bias for bias in review.biases if bias.found]
    if found:
        return f"{words(found[0].name)}: {found[0].sentence}."
    if review.execution.is_poor:
        return f"orders slipped {percent(review.execution.slippage_fraction, places=3)} on average."
    if review.extremes.worst:
        worst = review.extremes.worst[0]
        return f"{worst.trade.symbol} lost {usd(-worst.trade.pnl_usd)} USD: {REASONS[worst.reasons[0]]}."
    return "none that the records show."


def _improvement(review: PeriodReview) -> str:
    for change in (*review.changes.applied, *(p.change for p in review.changes.proposals)):
        return f"{change.field} from {change.old} to {change.new}, because {change.reason}."
    return "no threshold is to change."
