/* On a board: ten texts to wherever putchar goes, the same as in golden.txt. */

#include <stdio.h>

#include "teenygpt.h"

static struct teenygpt model;

int main(void)
{
    if (!teenygpt_check()) {
        fputs("the weights are damaged\n", stdout);
        return 1;
    }
    for (uint32_t i = 0; i < 10; i++) {
        int32_t token = TEENYGPT_BEGIN;
        teenygpt_start(&model, TEENYGPT_SEED + i);
        for (int32_t t = 0; t < TEENYGPT_TOKENS - 1 && teenygpt_step(&model, token); t++) {
            token = teenygpt_choose(&model, TEENYGPT_TEMPERATURE, 0);
            if (token == TEENYGPT_END)
                break;
            fputs(teenygpt_text(token), stdout);
        }
        putchar('\n');
    }
    return 0;
}
