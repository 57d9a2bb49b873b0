import threading

import pytest

from roundtable.control import Control
from roundtable.errors import Cancelled, DeadlineExceeded


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_without_a_limit_time_never_ends() -> None:
    control = Control()
    control.check()
    assert control.remaining_s() is None


def test_the_deadline_is_met_to_the_second() -> None:
    clock = Clock()
    control = Control(5.0, clock=clock)
    clock.now = 104.999
    control.check()
    assert control.remaining_s() == pytest.approx(0.001)
    clock.now = 105.0
    assert control.remaining_s() == 0.0
    with pytest.raises(DeadlineExceeded, match="timeout_s=5"):
        control.check()


def test_cancelling_stops_the_next_check_in_every_thread() -> None:
    control = Control()
    thread = threading.Thread(target=control.cancel)
    thread.start()
    thread.join()
    with pytest.raises(Cancelled):
        control.check()


def test_progress_never_falls_and_stays_within_bounds() -> None:
    told: list[tuple[str, float]] = []
    control = Control(on_progress=lambda stage, fraction: told.append((stage, fraction)))
    for fraction in (0.2, 0.1, 1.7, -3.0):
        control.report("asr", fraction)
    control.report("diarize", 0.5)
    assert told == [("asr", 0.2), ("asr", 0.2), ("asr", 1.0), ("asr", 1.0), ("diarize", 0.5)]


def test_whoever_waits_for_an_engine_is_stopped_while_another_request_holds_it() -> None:
    turn, control = threading.Lock(), Control()
    threading.Timer(0.1, control.cancel).start()
    with turn, pytest.raises(Cancelled), control.alone(turn):
        raise AssertionError("two at once")
    with Control().alone(turn):
        assert turn.locked()
    assert not turn.locked()


def test_an_engine_whose_turn_comes_too_late_is_given_back() -> None:
    turn, clock = threading.Lock(), Clock()
    control = Control(5.0, clock=clock)
    clock.now = 105.0
    with pytest.raises(DeadlineExceeded), control.alone(turn):
        raise AssertionError("too late")
    assert not turn.locked()
