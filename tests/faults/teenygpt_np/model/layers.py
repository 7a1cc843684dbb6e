"""Seeded faults in `teenygpt_np/model/layers.py`."""

FAULTS = [
    ("dropout: in evaluation too", "training=self.training", "training=True"),
    (
        "rwkv: mean and variance over all groups",
        "self.groups, x.shape[-1] // self.groups",
        "1, x.shape[-1]",
    ),
    ("experts: a switch's weight is renormalized to 1", "if self.num_active > 1:", "if True:"),
    (
        "experts: a token is dropped",
        "expert(mg.embedding(ids, rows))",
        "expert(mg.embedding(ids, rows) * (np.arange(len(ids)) < 8)[:, None])",
    ),
    ("experts: the smallest scores", "argsort(-scores.data", "argsort(scores.data"),
    ("experts: chosen by probabilities, which have ties", "-scores.data", "-p.data"),
    ("experts: a choice's output goes to another token", "np.argsort(order).", "order."),
    ("experts: shares of the probabilities alone", "(p.mean(axis=0) * load)", "p.mean(axis=0)"),
    ("experts: Muon has the router", "self.router.muon = ()", "pass"),
    ("experts: an unused one takes steps as well", "if len(ids)", "if True"),
    ("layers: waves all of one length", "1000.0 ** -np.linspace", "1000.0 ** -0 * np.linspace"),
    (
        "layers: sines without their cosines",
        "[np.sin(angles), np.cos(angles)]",
        "[np.sin(angles)] * 2",
    ),
    (
        "retnet: turned at other paces",
        "10000.0 ** -np.linspace(0, 1, width // 2)",
        "10000.0 ** -(np.arange(width // 2) / (width // 2))",
    ),
    (
        "parts: every part is turned from position 0 on",
        "np.arange(start, start + T)",
        "np.arange(T)",
    ),
]
