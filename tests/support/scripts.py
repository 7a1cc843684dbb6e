"""Ten short texts in five scripts, for tokenizers."""

# ruff: noqa: RUF001 - letters that look like those of another script are what this is for

TEXTS = {
    "english": (
        "The lamp on the shelf doesn't work, said the keeper; the other lamp works. At 7:45 the "
        "keeper's boat leaves, and at 19:45 it's back - or so they say.\n\n  \"Who's there?\"\n"
    ),
    "code": (
        "def total(items, start=0):\n    for item in items:\n        start += item.price * 1.25\n"
        "    return start\n\n\nprint(total([]))\t# 0\n"
    ),
    "german": (
        "Die Straße führt über größere Hügel; die größeren Häuser stehen draußen. „Schöne Grüße!“ "
        "rief er über den Zaun, und sie grüßte zurück.\n"
    ),
    "vietnamese": (
        "Buổi sáng, người bán hoa đi qua cầu; buổi chiều, người bán hoa về qua cầu. Mưa rơi nhẹ, "
        "và cầu trơn.\n"
    ),
    "russian": (
        "Старый маяк стоит на скале. Каждый вечер смотритель зажигает маяк, и каждое утро "
        "смотритель гасит его. «Так и живём», — говорит смотритель.\n"
    ),
    "ukrainian": (
        "Їжак несе яблуко до лісу, а інший їжак несе грушу. Об'єднались їжаки під деревом: "
        "п'ять яблук і сім груш на всіх.\n"
    ),
    "arabic": (
        "يذهب الصياد إلى البحر كل صباح، ويعود الصياد من البحر كل مساء. هل البحر هادئ اليوم؟ "
        "نعم، البحر هادئ.\n"
    ),
    "persian": ("باران می‌بارد و رودخانه می‌رود. کتاب‌های کتاب‌خانه را می‌خوانیم؛ کتاب‌ها زیاد هستند.\n"),
    "hindi": ("नदी के किनारे एक पेड़ है। पेड़ के नीचे बच्चे खेलते हैं। शाम को बच्चे घर जाते हैं, और पेड़ अकेला रहता है।\n"),
    "chinese": (
        "老人每天在河边钓鱼。河边的风很大，老人说：“风大，鱼也大！”孩子们笑了，老人也笑了。\u3000第二天，"
        "河边没有风，也没有鱼。🐟🐟\n"
    ),
}
