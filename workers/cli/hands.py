"""Human hands: answers to proposals, modes of accounts, leaving positions, and the audit of all that."""

from __future__ import annotations

import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workers.cli.card import table
from workers.cli.command import command, group
from workers.cli.concluding import conclude, reason_of, said
from workers.cli.ending import Refusal, emit, run
from workers.cli.inputs import amount_of, person_of, symbol_of
from workers.cli.place import records, running_place, settings_or_refusal

if TYPE_CHECKING:
    from workflows.protocol import HandDone

Proposal = Annotated[str, typer.Argument(help="the proposal's id, as its card in the Web UI shows it")]
Account = Annotated[str, typer.Argument(help="for example composite")]
Reason = Annotated[str, typer.Option(help="why; it is kept in the audit")]
Who = Annotated[str, typer.Option(help="who; default: the user of this machine")]
Operation = Annotated[str, typer.Option(help="an id under which this is done once; default: a new one")]
Json = Annotated[bool, typer.Option("--json", help="one JSON object as the last line")]


def approve(
    proposal: Proposal, reason: Reason, who: Who = "", operation_id: Operation = "", json: Json = False
) -> None:
    """Let a proposal that waits for a person go on as it is; the gate's limits still bind it.

    Example: perennial approve d0123456789abcdef0123456-89abcdef --reason "I looked at the book" --json
    """
    _answer("approve", proposal, reason=reason, who=who, operation_id=operation_id, as_json=json)


def reject(proposal: Proposal, reason: Reason, who: Who = "", operation_id: Operation = "", json: Json = False) -> None:
    """End a proposal that waits for a person.

    Example: perennial reject d0123456789abcdef0123456-89abcdef --reason "too close to the news" --json
    """
    _answer("reject", proposal, reason=reason, who=who, operation_id=operation_id, as_json=json)


def modify(
    proposal: Proposal,
    reason: Reason,
    size: Annotated[str, typer.Option(help="fraction of equity, for example 0.01")] = "",
    entry: Annotated[str, typer.Option(help="limit price")] = "",
    stop: Annotated[str, typer.Option(help="stop price")] = "",
    target: Annotated[str, typer.Option(help="target price")] = "",
    value: Annotated[str, typer.Option(help="of a reflection's threshold")] = "",
    text: Annotated[str, typer.Option(help="of a reflection's principle or architecture")] = "",
    who: Who = "",
    operation_id: Operation = "",
    json: Json = False,
) -> None:
    """Let a trade go on with another size or other levels, or a reflection's proposal with another value or text.

    Code checks them, and limits bind people too.

    Example: perennial modify d0123456789abcdef0123456-89abcdef --size 0.01 --reason "half is enough" --json
    """
    if is_reflection(proposal):
        if bool(value) == bool(text):
            raise Refusal("modify of a reflection's proposal states one of --value, --text")
        _answer_reflection("modify", proposal, reason, who, operation_id, as_json=json, value=value, text=text)
        return
    given = {"size_fraction": (size, "--size"), "entry_price": (entry, "--entry")}
    given |= {"stop_price": (stop, "--stop"), "target_price": (target, "--target")}
    changes = {name: amount_of(text, option) for name, (text, option) in given.items() if text}
    if not changes:
        raise Refusal("modify states at least one of --size, --entry, --stop, --target")
    if changes.get("size_fraction", Decimal(0)) > 1:
        raise Refusal(f"--size {size} is a fraction of equity, at most 1: write 0.05 for five percent")
    _answer("modify", proposal, reason=reason, who=who, operation_id=operation_id, as_json=json, changes=changes)


def pause(account: Account, reason: Reason, who: Who = "", operation_id: Operation = "", json: Json = False) -> None:
    """Open nothing by itself in this account until it is resumed; exits and stops go on.

    Example: perennial pause composite --reason "on holiday" --json
    """
    _hand("pause", account, reason=reason, who=who, operation_id=operation_id, as_json=json)


def resume(account: Account, reason: Reason, who: Who = "", operation_id: Operation = "", json: Json = False) -> None:
    """Back to automatic; drawdown counts from today's equity.

    Example: perennial resume composite --reason "calm again" --json
    """
    _hand("resume", account, reason=reason, who=who, operation_id=operation_id, as_json=json)


def manual(account: Account, reason: Reason, who: Who = "", operation_id: Operation = "", json: Json = False) -> None:
    """Every entry of this account waits for a person's approval.

    Example: perennial manual composite --reason "first week" --json
    """
    _hand("manual", account, reason=reason, who=who, operation_id=operation_id, as_json=json)


def halt(account: Account, reason: Reason, who: Who = "", operation_id: Operation = "", json: Json = False) -> None:
    """Refuse every new entry at once and cancel those that rest; stops stay at the venue, positions stay held.

    Example: perennial halt composite --reason "something is wrong" --json
    """
    _hand("halt", account, reason=reason, who=who, operation_id=operation_id, as_json=json)


def flatten(
    account: Account,
    reason: Reason,
    symbol: Annotated[str, typer.Argument(help="only this symbol; default: everything")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="confirmed: do not ask")] = False,
    who: Who = "",
    operation_id: Operation = "",
    json: Json = False,
) -> None:
    """Sell at market all that an account holds, and withdraw its entries; it does not stop new ones: halt first.

    Example: perennial flatten composite --yes --reason "out of everything" --json
    """
    name = symbol_of(symbol) if symbol else None
    if not yes:
        _confirm(f"sell {name or 'everything'} of {account} at market")
    _hand("flatten", account, reason=reason, who=who, operation_id=operation_id, as_json=json, symbol=name)


def resolve(
    order: Annotated[str, typer.Argument(help="the client order id, as `perennial orders` shows it")],
    verdict: Annotated[str, typer.Option("--as", help="what the venue shows under this id: filled or absent")],
    reason: Reason,
    who: Who = "",
    operation_id: Operation = "",
    json: Json = False,
) -> None:
    """Say what became of a FROZEN order; the venue is asked once more, and must not contradict.

    Example: perennial resolve 0123456789abcdef0123456789abcdef --as absent --reason "not in the venue's list" --json
    """
    from trading.orders.wishes import Resolution, Verdict

    allowed = ", ".join(one.value for one in Verdict)
    if verdict not in set(Verdict):
        raise Refusal(f"--as {verdict!r} is unknown: allowed are {allowed}")
    word = Resolution(
        operation_id=operation_id,
        client_order_id=order,
        verdict=Verdict(verdict),
        who=person_of(who),
        reason=reason_of(reason),
    )

    async def spoken() -> HandDone:
        from workers.operator.orders import resolve_order

        async with running_place(settings_or_refusal(), verb="resolve") as place:
            return await resolve_order(place, word)

    conclude(said(spoken), as_json=json)


def adopt(
    order: Annotated[str, typer.Argument(help="the client order id at the venue, as `perennial reconcile` names it")],
    reason: Reason,
    account: Annotated[str, typer.Option(help="only this account; default: all")] = "",
    symbol: Annotated[str, typer.Option(help="only this symbol; default: all that are known")] = "",
    stop: Annotated[str, typer.Option(help="stop price; default: the open trade's, else the widest allowed")] = "",
    target: Annotated[str, typer.Option(help="target price; default: the open trade's, else none")] = "",
    who: Who = "",
    operation_id: Operation = "",
    json: Json = False,
) -> None:
    """Make an order that another client placed ours: its fills enter the ledger, and what it bought is guarded.

    A purchase may be open or filled, a sale must be over and of what we hold. A balance without an order is a transfer.

    Example: perennial adopt web_7c1 --stop 6800 --reason "bought on the phone" --json
    """
    from trading.orders.adopting import AdoptWish

    wish = AdoptWish(
        operation_id=operation_id,
        client_order_id=order,
        who=person_of(who),
        reason=reason_of(reason),
        stop_price=amount_of(stop, "--stop") if stop else None,
        target_price=amount_of(target, "--target") if target else None,
    )
    name = symbol_of(symbol) if symbol else None

    async def taken() -> HandDone:
        from workers.operator.orders import adopt_order

        async with running_place(settings_or_refusal(), verb="adopt") as place:
            return await adopt_order(place, wish, account=account or None, symbol=name)

    conclude(said(taken), as_json=json)


def leave(
    account: Account,
    symbol: Annotated[str, typer.Argument(help="for example BTC/USDT")],
    reason: Reason,
    who: Who = "",
    operation_id: Operation = "",
    json: Json = False,
) -> None:
    """Leave one symbol: withdraw its entries and sell what is held of it at market.

    Example: perennial exit composite BTC/USDT --reason "the thesis is gone" --json
    """
    name = symbol_of(symbol)
    _hand("flatten", account, reason=reason, who=who, operation_id=operation_id, as_json=json, symbol=name)


def list_audit(
    subject: Annotated[str, typer.Option(help="only this account or proposal")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    realm: Annotated[str, typer.Option(help="realm of the records; default: the profile's")] = "",
    json: Json = False,
) -> None:
    """Who did what, when and why, newest first.

    Example: perennial audit list --subject composite --json
    """

    async def read() -> list[dict[str, Any]]:
        settings = settings_or_refusal()
        async with records(settings) as store:
            rows = await store.audit(realm or settings.realm, subject=subject or None, limit=limit)
        return [row.model_dump(mode="json") for row in rows]

    rows = run(read)
    columns = ("at", "who", "what", "subject", "reason", "operation_id")
    emit({"audit": rows}, as_json=json, text=table(rows, columns, empty="nobody laid a hand on anything yet"))


def _answer(
    verb: str,
    proposal: str,
    *,
    reason: str,
    who: str,
    operation_id: str,
    as_json: bool,
    changes: dict[str, Decimal] | None = None,
) -> None:
    if is_reflection(proposal):
        _answer_reflection(verb, proposal, reason, who, operation_id, as_json=as_json)
        return
    from trading.decision.approval import PersonAnswer

    answer = PersonAnswer(
        proposal=proposal, who=person_of(who), reason=reason_of(reason), operation_id=operation_id, **(changes or {})
    )

    async def answered() -> HandDone:
        from workers.operator.hands import answer_proposal

        async with running_place(settings_or_refusal(), verb=verb) as place:
            return await answer_proposal(place, verb, answer)

    conclude(said(answered), as_json=as_json)


def _answer_reflection(
    verb: str,
    proposal: str,
    reason: str,
    who: str,
    operation_id: str,
    *,
    as_json: bool,
    value: str = "",
    text: str = "",
) -> None:
    from trading.review.proposals import ReflectionAnswer

    answer = ReflectionAnswer(
        proposal=proposal,
        who=person_of(who),
        reason=reason_of(reason),
        operation_id=operation_id,
        value=value or None,
        text=text or None,
    )

    async def answered() -> HandDone:
        from workers.reflections import answer_reflection

        async with running_place(settings_or_refusal(), verb=verb) as place:
            return await answer_reflection(place, verb, answer)

    conclude(said(answered), as_json=as_json)


def is_reflection(proposal: str) -> bool:
    """A reflection's proposal has no decision in its id."""
    return proposal.startswith("p") and "-" not in proposal


def _hand(
    verb: str,
    account: str,
    *,
    reason: str,
    who: str,
    operation_id: str,
    as_json: bool,
    symbol: str | None = None,
) -> None:
    from workflows.protocol import Hand

    hand = Hand(operation_id=operation_id, who=person_of(who), reason=reason_of(reason), symbol=symbol)

    async def laid() -> HandDone:
        from workers.operator.hands import lay_hand

        async with running_place(settings_or_refusal(), verb=verb) as place:
            return await lay_hand(place, verb, account, hand)

    conclude(said(laid), as_json=as_json)


def _confirm(what: str) -> None:
    if not sys.stdin.isatty():
        raise Refusal(f"to {what} needs a confirmation: add --yes")
    sys.stderr.write(f"{what}? type yes: ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() != "yes":
        raise Refusal("not confirmed: nothing was done")


COMMANDS = {
    "approve": command("approve", approve),
    "reject": command("reject", reject),
    "modify": command("modify", modify),
    "pause": command("pause", pause),
    "resume": command("resume", resume),
    "manual": command("manual", manual),
    "halt": command("halt", halt),
    "flatten": command("flatten", flatten),
    "exit": command("exit", leave),
    "resolve": command("resolve", resolve),
    "adopt": command("adopt", adopt),
    "audit": group("audit", {"list": list_audit}, help_text="Who did what, when and why."),
}
