"""Seeded faults in `teenygpt_np/checkpoint.py`."""

FAULTS = [
    (
        "checkpoint: its SHA-256 is not compared",
        "if found != _sha256(arrays):",
        "if False:",
    ),
    (
        "checkpoint: dtypes and shapes are not hashed",
        '{name} {array.dtype.str} {array.shape}\\n".encode()',
        '{name}\\n".encode()',
    ),
    (
        "checkpoint: sizes are not bounded by the file's",
        "if sum(m.file_size for m in members) > size:",
        "if False:",
    ),
    (
        "checkpoint: a long table of members is parsed",
        "_check_directory(file, size)",
        "pass",
    ),
    (
        "checkpoint: compressed members are taken",
        "member.compress_type != zipfile.ZIP_STORED or name in arrays",
        "name in arrays",
    ),
    (
        "checkpoint: written through a link in the temporary file's place",
        'temporary.unlink(missing_ok=True)\n        with temporary.open("xb")',
        'with temporary.open("wb")',
    ),
    (
        "checkpoint: a line of metrics is not flushed",
        "os.fsync(file.fileno())\n    except",
        "pass\n    except",
    ),
    (
        "disk: a file is not flushed",
        "os.fsync(file.fileno())\n        temporary.replace(path)",
        "pass\n        temporary.replace(path)",
    ),
    (
        "disk: a file is renamed before it is flushed",
        "os.fsync(file.fileno())\n        temporary.replace(path)",
        "temporary.replace(path)\n            os.fsync(file.fileno())",
    ),
    (
        "disk: a new name is not flushed",
        "_sync_directory(path.parent)",
        "pass",
    ),
    (
        "disk: the old file is gone before the new one is there",
        "temporary.replace(path)",
        "path.unlink(missing_ok=True)\n        temporary.replace(path)",
    ),
]
