"""Prepares TensorFlow and Keras; must be imported before them.

This is the only module whose import changes something: it chooses Keras's backend, hides the
messages that TensorFlow prints when it starts, and turns off one of its optimizations.
"""

import contextlib
import os
import signal
import sys
import warnings

DONE = b"\0done"


@contextlib.contextmanager
def holding_back():
    """Hide what native code writes to stderr within `with`, unless the process crashes there.

    A small extra process keeps the text. If TensorFlow crashes (for example on a processor that it
    was not built for), this process prints it. So the reason for the crash is not lost. Where
    processes cannot fork (Windows), nothing is hidden.
    """
    if not hasattr(os, "fork") or sys.stderr is None:
        yield
        return
    sys.stderr.flush()
    source, sink = os.pipe()
    stderr = os.dup(2)
    with warnings.catch_warnings(action="ignore"):  # Python warns of forks with threads
        keeper = os.fork()
    if not keeper:
        try:  # this child process only reads and writes, and ends here
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            os.close(sink)
            said = b""
            while not said.endswith(DONE) and (more := os.read(source, 65536)):
                said += more
            if not said.endswith(DONE):
                os.write(2, said)
        finally:
            os._exit(0)
    os.close(source)
    os.dup2(sink, 2)
    try:
        yield
        os.write(sink, DONE)
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(sink)
        os.waitpid(keeper, 0)


# Both are read once, when TensorFlow and Keras are imported for the first time.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["KERAS_BACKEND"] = "tensorflow"
with holding_back():
    import tensorflow as tf

# TensorFlow's graph remapper fails on the gradient of a convolution with bias followed by
# LeakyReLU, and prints an error at every start. Where it works, it brings no speed here. So it is
# off.
tf.config.optimizer.set_experimental_options({"remapping": False})
