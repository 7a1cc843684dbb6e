"""Seeded faults in `minigrad/kernels/compiled/tile.py`."""

FAULTS = [
    (
        "matmul: compiled, = for += in a tile",
        "total = builder.fadd(load(builder.gep(source, [index(v)])), totals[row][v])",
        "total = totals[row][v]",
    ),
    (
        "matmul: compiled, the mask hides the last column",
        '"<", lanes, spread(left))',
        '"<", lanes, spread(builder.sub(left, index(1))))',
    ),
    (
        "matmul: compiled, one row of a tile for all",
        "spread_a = spread(builder.load(entry(a_now, a_row, row, scalar), align=1))",
        "spread_a = spread(builder.load(entry(a_now, a_row, 0, scalar), align=1))",
    ),
]
