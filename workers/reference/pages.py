"""Each reference page from the table in the code that holds its truth."""

from __future__ import annotations

from workers.reference.capabilities import ROWS as CAPABILITIES
from workers.reference.capabilities import Capability
from workers.reference.markdown import code, page, section, table
from workers.reference.metrics import metrics
from workers.reference.verbs import verbs_page
from workers.reference.workflows import workflows_page


def pages() -> dict[str, str]:
    """File name to text of every generated page."""
    return {
        "settings.md": settings_page(),
        "policy.md": policy_page(),
        "codes.md": codes_page(),
        "metrics.md": metrics_page(),
        "workflows.md": workflows_page(),
        "verbs.md": verbs_page(),
        "capabilities.md": capabilities_page(),
    }


def settings_page() -> str:
    from config.environment import KEY_PREFIX, READ_ELSEWHERE, SECRET_PREFIX
    from config.markets import VENUES
    from config.providers import PROVIDERS
    from config.settings import Settings, variable_name

    rows = [
        (code(variable_name(name)), code("" if info.default is None else str(info.default)), info.description or "")
        for name, info in Settings.model_fields.items()
    ]
    pairs = (
        (code(f"{KEY_PREFIX}_ACCOUNT"), "", "key of an account at the profile's venue; without _ACCOUNT: of composite"),
        (code(f"{SECRET_PREFIX}_ACCOUNT"), "", "its secret"),
    )
    elsewhere = [(code(name), text) for name, text in sorted(READ_ELSEWHERE.items())]
    venues = [
        (
            row.profile.value,
            row.venue,
            row.base_url or ("chosen by the local stack" if row.market_is_replayed else "none: a person sets it"),
            ", ".join(sorted(row.hosts)) or "this machine, or a host that belongs to no real venue",
            "yes" if row.needs_key else "no",
        )
        for row in VENUES.values()
    ]
    providers = [
        (code(row.id), row.kind, row.model, row.base_url or "", code(row.key_setting or ""), row.json_support)
        for row in PROVIDERS.values()
    ]
    return page(
        "Settings",
        "The environment wins over the file that `PERENNIAL_ENV_FILE` names; no file is read unasked. A name that "
        "starts with `PERENNIAL_` and is not listed here is reported by `perennial config show` and by "
        "`perennial doctor`. `TEMPORAL_*` is read by the Temporal SDK. "
        "Trading limits are no settings: they are the [policy](policy.md).",
        table(("variable", "default", "meaning"), (*rows, *pairs)),
        section("Read by tests only", table(("variable", "meaning"), elsewhere)),
        section("Profiles", table(("profile", "venue", "address", "allowed hosts", "needs a key"), venues)),
        section(
            "Model providers", table(("id", "protocol", "default model", "default address", "key", "JSON"), providers)
        ),
    )


def policy_page() -> str:
    from trading.policy.table import ROWS

    rows = [
        (
            code(r.field),
            code(r.default),
            r.unit,
            f"{r.lowest} to {r.highest}",
            code(r.code),
            r.looser,
            r.capability,
            r.message,
        )
        for r in ROWS
    ]
    return page(
        "Policy",
        "Every threshold and limit, declared once. The values in force are those of the playbook version that a "
        "decision names; these are the first version's. Ratios are fractions. *Looser* says which way admits "
        "more risk: such a change waits for a person.",
        table(("field", "default", "unit", "allowed", "code", "looser", "capability", "meaning"), rows),
    )


def codes_page() -> str:
    from activities.models.failures import RETRYABLE, FailureKind
    from trading.decision.codes import CODES as FINDINGS
    from trading.decision.outcomes import OUTCOMES
    from trading.decision.reasons import REASONS
    from trading.orders.answers import ROWS as ANSWERS
    from trading.orders.quantise import UnsendableCode
    from trading.risk.codes import CAP_CODES
    from trading.risk.codes import CODES as GATE

    outcomes = [
        (code(o.code), o.sentence, "yes" if o.changes_exposure else "", "yes" if o.needs_person else "")
        for o in OUTCOMES.values()
    ]
    findings = [
        (
            code(f.code),
            f.severity.value,
            f.capability,
            f.message,
            str(f.lowers_confidence) if f.lowers_confidence else "",
        )
        for f in FINDINGS.values()
    ]
    gate = [(code(g.code), "cap" if g.code in CAP_CODES else "denial", g.capability, g.message) for g in GATE.values()]
    reasons = [(code(r.code), r.capability, r.sentence) for r in REASONS.values()]
    answers = [(row.name, row.outcome.value, "yes" if row.stops_venue else "") for row in ANSWERS]
    unsendable = [(code(one.value),) for one in UnsendableCode]
    intents = (
        ("unknown_account", "the account has no gate row"),
        ("halted", "the account is halted"),
        ("not_armed", "real money, and no person has armed the account"),
        ("epoch_older", "the permit is older than the account's last change of mode"),
        ("no_permit", "an order that raises exposure came without a permit"),
        ("symbol_frozen", "what became of another order of the symbol is not known: it waits for a person"),
    )
    failures = [(code(kind.value), "yes" if kind in RETRYABLE else "no") for kind in FailureKind]
    return page(
        "Codes",
        "Stable words that records, the command line and the Web UI carry.",
        section(
            "Outcomes of a decision", table(("code", "meaning", "may change exposure", "waits for a person"), outcomes)
        ),
        section(
            "Findings of verification",
            "A `repairable` finding earns the one correction round, a `fatal` one ends the answer, a `note` lowers "
            "confidence by the share in the last column.",
            table(("code", "severity", "capability", "sentence", "lowers"), findings),
        ),
        section("Reasons of fusion", table(("code", "capability", "meaning"), reasons)),
        section("The gate", table(("code", "kind", "capability", "sentence"), gate)),
        section(
            "Answers to an order request",
            "Read from the top; the first row that fits decides, and what no row names is `unknown`.",
            table(("answer", "class", "stops the venue"), answers),
        ),
        section(
            "Orders that are not sent",
            "Cut to the venue's grid, nothing sendable was left:",
            table(("code",), unsendable),
        ),
        section(
            "Orders that the journal refuses",
            "The account's gate row is read in the transaction that writes the intent:",
            table(("code", "because"), [(code(name), why) for name, why in intents]),
        ),
        section("Failures of a model call", table(("kind", "tried again"), failures)),
    )


def metrics_page() -> str:
    rows = [(code(m.name), m.kind, m.unit, m.meaning, code(m.module)) for m in metrics()]
    return page(
        "Metrics",
        "Our own, made through the Temporal SDK's meter; those of models are tagged with `provider` and `model`. The "
        "SDK adds its own (`temporal_workflow_task_execution_latency` and many more). Workers do not export them yet: "
        "the exporter comes with telemetry (C79).",
        table(("metric", "kind", "unit", "meaning", "module"), rows),
    )


def capabilities_page() -> str:
    built = sum(row.state == "built" for row in CAPABILITIES)
    part = sum(row.state == "in part" for row in CAPABILITIES)
    return page(
        "Capabilities",
        f"What Perennial is to do, and where it stands: {built} built, {part} in part, "
        f"{len(CAPABILITIES) - built - part} not built yet. Code, tests and documents cite the number.",
        table(
            ("no.", "capability", "state", "module", "test", "what is missing"), [_capability(c) for c in CAPABILITIES]
        ),
    )


def _capability(row: Capability) -> tuple[str, ...]:
    return (row.id, row.what, row.state, _link(row.module), _link(row.test), row.missing)


def _link(path: str) -> str:
    return f"[`{path}`](../../{path})" if path else ""
