"""Seeded faults in `minigrad/kernels/compiled/tile.py`."""

FAULTS = [
    (
        "matmul: compiled, = for += in a tile",
        "total = builder.fadd(builder.load(source, align=1), totals[row][v])",
        "total = totals[row][v]",
    ),
    (
        "matmul: compiled, = for += in the last columns",
        "total = builder.fadd(first, totals[row][v])",
        "total = totals[row][v]",
    ),
    (
        "matmul: compiled, the first columns are copied for all",
        "locate(source, args[2], args[3])",
        "locate(source, args[2], args[3].type(0))",
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
