"""Seeded faults in `minigrad/kernels/compiled/lanes.py`."""

FAULTS = [
    (
        "attention: lanes, a product one too short",
        'builder.icmp_signed("<", following, count)',
        'builder.icmp_signed("<", builder.add(following, index(1)), count)',
    ),
    (
        "attention: lanes, = for +=",
        "total = builder.fadd(builder.load(target, align=1), total)",
        "pass",
    ),
    (
        "attention: lanes, two numbers of each group exchanged",
        "((0, 1, 4, 5), (2, 3, 6, 7))",
        "((1, 0, 4, 5), (2, 3, 6, 7))",
    ),
    (
        "attention: lanes, the heads of another group",
        "builder.store(part, row(g + k), align=1)",
        "builder.store(part, row(k), align=1)",
    ),
    (
        "attention: lanes, not scaled on the way there",
        "builder.store(scaled(x), column(k), align=1)",
        "builder.store(x, column(k), align=1)",
    ),
]
