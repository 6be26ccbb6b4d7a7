"""Ctrl-C, or SIGTERM from a machine that is taken away: once to finish and save, twice at once."""

import inspect
import os
import signal
import threading
import weakref

__all__ = ["Interrupt"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_NOTICE = b"\nFinishing this step, then saving. Once more to stop at once, without saving.\n"


class Interrupt:
    """Remembers a first Ctrl-C or SIGTERM that comes during the `fit` of a model.

    A second one, and one outside of that `fit` (which may have ended by an error), goes to whoever
    handled it before. Only the main thread of a process can do this; elsewhere nothing is changed.

    >>> Interrupt(model=None).requested is None
    True
    """

    def __init__(self, model, notice=_NOTICE):
        self.requested = None  # the signal's number
        self._notice = notice
        self._model = model and weakref.ref(model)
        self._before = {}

    def install(self):
        if not _may_handle_signals():
            return
        for number in _SIGNALS:
            stale = getattr(signal.getsignal(number), "__self__", None)
            if isinstance(stale, Interrupt) and not stale._in_fit(inspect.currentframe()):
                stale.remove()
        self._before = {number: signal.signal(number, self._receive) for number in _SIGNALS}

    def remove(self):
        if not _may_handle_signals():
            return
        for number, handler in self._before.items():
            if signal.getsignal(number) == self._receive:
                signal.signal(number, handler or signal.SIG_DFL)
        self._before = {}

    def stop(self):
        """End the process's training as the signal asked for."""
        number = self.requested
        self.remove()
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + number)

    def _receive(self, number, frame):
        if self.requested is None and self._in_fit(frame):
            self.requested = number
            os.write(2, self._notice)  # print is not safe in a handler
            return
        self.remove()
        signal.raise_signal(number)

    def _in_fit(self, frame):
        model = self._model and self._model()
        if model is None:
            return False
        code = inspect.unwrap(type(model).fit).__code__
        while frame is not None:
            if frame.f_code is code and frame.f_locals.get("self") is model:
                return True
            frame = frame.f_back
        return False


def _may_handle_signals():
    return threading.current_thread() is threading.main_thread()
