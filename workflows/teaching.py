"""What people teach the agent through a desk: a principle, or another threshold, for the whole realm (C14)."""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.store.calls import ENTITY_CALL
    from activities.store.ports.playbooks import ReviseRequest
    from activities.store.revising import RevisingCalls
    from workflows.desk_book import KEPT_OPERATIONS, DeskBook
    from workflows.names import PLAYBOOK, Signal, Update
    from workflows.playbook_news import tell_playbook
    from workflows.protocol import HandDone, Lesson, PlaybookErrand, PlaybookNews, Threshold

HOW_TO_LOOSEN = "say approve_loosening: true to accept more risk"


class TaughtByPeople(DeskBook):
    """Each an update and a signal. What a signal cannot be told is shown on the desk's card."""

    @workflow.update(name=Update.TEACH, description="Teach the agent a principle, for every account of the realm")
    async def teach(self, lesson: Lesson) -> HandDone:
        return await self._take_lesson(lesson)

    @workflow.signal(name=Signal.TEACH, description="As the update; not without text, who and why")
    async def hear_teach(self, lesson: Lesson) -> None:
        if _is_complete(lesson.text, lesson.who, lesson.reason):
            await self._take_lesson(lesson)

    @workflow.update(
        name=Update.SET_THRESHOLD, description="Change one threshold of the policy, looser only on purpose"
    )
    async def set_threshold(self, threshold: Threshold) -> HandDone:
        return await self._take_threshold(threshold)

    @workflow.signal(name=Signal.SET_THRESHOLD, description="As the update; not without name, value, who and why")
    async def hear_set_threshold(self, threshold: Threshold) -> None:
        if _is_complete(threshold.name, threshold.value, threshold.who, threshold.reason):
            await self._take_threshold(threshold)

    @workflow.signal(name=Signal.PLAYBOOK, description="Another playbook is active: its limits bind the next wish")
    def playbook(self, news: PlaybookNews) -> None:
        self._playbook_hash = news.playbook_hash
        workflow.upsert_search_attributes([PLAYBOOK.value_set(news.version)])

    @teach.validator
    def _check_teach(self, lesson: Lesson) -> None:
        if not _is_complete(lesson.text, lesson.who, lesson.reason):
            raise ApplicationError("a lesson has a text, who and why: all must be given", type="ReasonMissing")

    @set_threshold.validator
    def _check_set_threshold(self, threshold: Threshold) -> None:
        if not _is_complete(threshold.name, threshold.value, threshold.who, threshold.reason):
            raise ApplicationError(
                "a threshold has a name, a value, who and why: all must be given", type="ReasonMissing"
            )

    async def _take_lesson(self, lesson: Lesson) -> HandDone:
        return await self._revise(
            ReviseRequest(
                realm=self._request.realm,
                operation_id=lesson.operation_id or f"taught-{workflow.uuid4()}",
                created_from="knowledge",
                why=lesson.reason.strip(),
                who=lesson.who.strip(),
                principles=(lesson.text.strip(),),
                author=lesson.who.strip(),
                refuses_loosening=True,
            )
        )

    async def _take_threshold(self, threshold: Threshold) -> HandDone:
        return await self._revise(
            ReviseRequest(
                realm=self._request.realm,
                operation_id=threshold.operation_id or f"taught-{workflow.uuid4()}",
                created_from=f"set {threshold.name} {threshold.value}",
                why=threshold.reason.strip(),
                who=threshold.who.strip(),
                policy_changes=((threshold.name.strip(), threshold.value.strip()),),
                approved_by=threshold.who.strip() if threshold.approve_loosening else None,
                refuses_loosening=True,
            )
        )

    async def _revise(self, request: ReviseRequest) -> HandDone:
        """Once for its operation id; the other desks and the watch are told by `run`."""
        await self._ready()
        done = self._current.hands.get(request.operation_id)
        if done is not None:
            return done
        taught = await workflow.execute_activity_method(RevisingCalls.revise_by_hand, request, **ENTITY_CALL)
        revised = taught.revised
        if revised is None:
            hint = f": {HOW_TO_LOOSEN}" if taught.code == "loosens" else ""
            fault = f"{taught.fault}{hint}"
            self._keep(taught=f"{request.created_from} by {request.who} was not taken: {fault}")
            self._show()
            return self._taught(request, accepted=False, reason=fault, state="refused")
        if revised.is_active:
            news = PlaybookNews(version=revised.version, playbook_hash=revised.playbook_hash)
            self.playbook(news)
            others = tuple(name for name in taught.accounts if name != self._request.account)
            errand = PlaybookErrand(accounts=others, news=news)
            self._keep(playbook_errands=(*self._current.playbook_errands, errand))
        self._keep(taught=f"playbook {revised.version}: {request.created_from} by {request.who}: {request.why}")
        self._show()
        done = self._taught(request, accepted=True, reason=request.why, state=revised.version)
        kept = dict(list(self._current.hands.items())[-KEPT_OPERATIONS:])
        self._keep(hands={**kept, request.operation_id: done})
        return done

    async def _tell_playbooks(self) -> None:
        while self._current.playbook_errands:
            errand = self._current.playbook_errands[0]
            await tell_playbook(self._request.realm, errand.accounts, errand.news)
            self._keep(playbook_errands=self._current.playbook_errands[1:])

    def _taught(self, request: ReviseRequest, *, accepted: bool, reason: str, state: str) -> HandDone:
        return HandDone(
            operation_id=request.operation_id, target="playbook", accepted=accepted, reason=reason, state=state
        )


def _is_complete(*words: str) -> bool:
    return all(word.strip() for word in words)
