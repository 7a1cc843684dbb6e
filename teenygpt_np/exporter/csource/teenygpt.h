/* A trained language model on a small machine.

       static struct teenygpt model;            the only RAM that it takes, beside some stack

       if (!teenygpt_check()) ...               the weights in flash are damaged
       teenygpt_start(&model, 7);               a text, and the seed of its random numbers
       token = TEENYGPT_BEGIN;
       while (teenygpt_step(&model, token)) {   NULL after the last position
           token = teenygpt_choose(&model, 0.8f, 0);
           if (token == TEENYGPT_END) break;
           ... teenygpt_text(token) ...
       }

   C99. No allocation, no files, no double, no recursion. Compile it without fused multiply-adds
   (-ffp-contract=off): then every logit has the bits that golden.txt has, on every machine. */

#ifndef TEENYGPT_H
#define TEENYGPT_H

#include <stdint.h>

#include "weights.h" /* the sizes */

/* The hidden layer of an MLP, a slice of it at a time. */
struct mlp_work {
    float hidden[TEENYGPT_SLICE];
};

@headers
struct teenygpt {
    uint64_t random;                /* of the generator */
    int32_t position;               /* how many tokens were read */
    float logits[TEENYGPT_VOCAB];   /* what teenygpt_step computes */
    float x[TEENYGPT_WIDTH];        /* what goes from block to block */
    float y[TEENYGPT_WIDTH];        /* what a mixer or an MLP makes of it */
    union {                         /* scratch memory: one of them is at work at a time */
        struct mlp_work mlp;
@works
    } work;
@states
};

/* 1 if the weights have the CRC-32 that they had when they were exported, otherwise 0. */
int teenygpt_check(void);

/* Begin a text. The same seed gives the same text on every machine. */
void teenygpt_start(struct teenygpt *self, uint32_t seed);

/* Read a token: the logits of the one after it, (TEENYGPT_VOCAB), valid until the next call.
   NULL if there is no such token, or if TEENYGPT_ENDS is 1 and TEENYGPT_TOKENS have been read: then
   the model knows no more positions, or has no memory for them. */
const float *teenygpt_step(struct teenygpt *self, int32_t token);

/* Draw the next token: from softmax(logits / temperature), of the top_k likeliest (0: of all).
   Temperature 0 takes the likeliest. */
int32_t teenygpt_choose(struct teenygpt *self, float temperature, int32_t top_k);

/* The bytes of UTF-8 that a token stands for, 0 at their end; "" for one that stands for none. */
const char *teenygpt_text(int32_t token);

#endif
