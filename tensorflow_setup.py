"""Prepares TensorFlow and Keras; to be imported before either of them.

This is the one place where importing does something: it chooses Keras's backend, holds back what
TensorFlow says when it starts, and turns off one of its optimizations.
"""

import contextlib
import os
import signal
import sys
import warnings

DONE = b"\0done"


@contextlib.contextmanager
def holding_back():
    """Hold back what native code writes to stderr within `with`, unless the process dies of it.

    A small process of its own keeps the text, and shows it if it never hears that all went well:
    an abort of TensorFlow (on a processor that it was not built for, say) is not swallowed. Where
    processes cannot fork (Windows), nothing is held back.
    """
    if not hasattr(os, "fork") or sys.stderr is None:
        yield
        return
    sys.stderr.flush()
    source, sink = os.pipe()
    stderr = os.dup(2)
    with warnings.catch_warnings(action="ignore"):  # Python warns of forks beside threads
        keeper = os.fork()
    if not keeper:
        try:  # only reads and writes, and never comes back from here
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

# TensorFlow's graph remapper cannot take a LeakyReLU behind a biased convolution apart for its
# gradient, reports that as an error at every start, and gains nothing here where it can.
tf.config.optimizer.set_experimental_options({"remapping": False})
