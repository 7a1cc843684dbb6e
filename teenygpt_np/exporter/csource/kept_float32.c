static teenygpt_kept to_kept(float x)
{
    return x;
}

static float from_kept(teenygpt_kept x)
{
    return x;
}

