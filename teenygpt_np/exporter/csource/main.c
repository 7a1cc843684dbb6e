/* On a desktop: write texts, check this port against golden.txt, or tell how fast it is.

       teenygpt [-n NUMBER] [-s SEED] [-t TEMPERATURE] [-k TOP_K]
       teenygpt check [golden.txt]
       teenygpt speed */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "teenygpt.h"

static struct teenygpt model;

/* The ids of a text, without those that begin and end it, and how many they are. */
static int32_t write_ids(uint32_t seed, float temperature, int32_t top_k, int32_t *ids)
{
    int32_t token = TEENYGPT_BEGIN, count = 0;
    teenygpt_start(&model, seed);
    while (count < TEENYGPT_TOKENS - 1 && teenygpt_step(&model, token)) {
        token = teenygpt_choose(&model, temperature, top_k);
        if (token == TEENYGPT_END)
            break;
        ids[count++] = token;
    }
    return count;
}

static int32_t ids[TEENYGPT_TOKENS];

/* The status of the program: 1 if not all of its output could be written. */
static int flushed(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 0;
    fputs("the output can't be written\n", stderr);
    return 1;
}

static int write_texts(long number, uint32_t seed, float temperature, int32_t top_k)
{
    for (long i = 0; i < number; i++) {
        const int32_t count = write_ids(seed + (uint32_t)i, temperature, top_k, ids);
        for (int32_t t = 0; t < count; t++)
            fputs(teenygpt_text(ids[t]), stdout);
        putchar('\n');
    }
    return flushed();
}

static int wrong(const char *what, long place)
{
    fprintf(stderr, "%s %ld differs from the file's\n", what, place);
    return 1;
}

/* Lines of the file: "read TOKEN LOGITS", each logit as the bits of a float in hexadecimal, and
   "write SEED TEMPERATURE TOP_K COUNT IDS", the temperature in bits as well; # begins a comment. */
static int check(const char *name)
{
    char word[8];
    int32_t texts = 0, tokens = 0;
    FILE *file = fopen(name, "r");
    if (!file) {
        fprintf(stderr, "%s can't be opened\n", name);
        return 1;
    }
    teenygpt_start(&model, 0);
    while (fscanf(file, "%7s", word) == 1) {
        unsigned long bits, seed, temperature_bits;
        long token, top_k, count;
        if (word[0] == '#') {
            int c;
            do
                c = getc(file);
            while (c != '\n' && c != EOF);
        } else if (strcmp(word, "read") == 0 && fscanf(file, "%ld", &token) == 1) {
            const int32_t place = model.position;
            const float *logits = teenygpt_step(&model, (int32_t)token);
            for (int32_t i = 0; i < TEENYGPT_VOCAB; i++) {
                uint32_t own;
                if (!logits || fscanf(file, "%lx", &bits) != 1)
                    return wrong("token", place);
                memcpy(&own, &logits[i], sizeof own);
                if (own != bits)
                    return wrong("a logit of token", place);
            }
            tokens++;
        } else if (strcmp(word, "write") == 0 &&
                   fscanf(file, "%lu %lx %ld %ld", &seed, &temperature_bits, &top_k, &count) == 4) {
            const uint32_t short_bits = (uint32_t)temperature_bits;
            float temperature;
            memcpy(&temperature, &short_bits, sizeof temperature);
            texts++;
            if (write_ids((uint32_t)seed, temperature, (int32_t)top_k, ids) != count)
                return wrong("the length of text", texts);
            for (long t = 0; t < count; t++)
                if (fscanf(file, "%ld", &token) != 1 || token != ids[t])
                    return wrong("text", texts);
        } else {
            return wrong("line", texts);
        }
    }
    fclose(file);
    if (tokens == 0 || texts == 0) {
        fprintf(stderr, "%s has nothing to compare, or not all of it\n", name);
        return 1;
    }
    printf("every logit has the bits that it has in %s, and %ld texts are the same\n", name,
           (long)texts);
    return flushed();
}

/* Tokens/s of texts that are as long as they can be, in two seconds. */
static int speed(void)
{
    const clock_t start = clock();
    long count = 0;
    uint32_t seed = 0;
    do {
        int32_t token = TEENYGPT_BEGIN;
        teenygpt_start(&model, seed++);
        for (int32_t t = 0; t < TEENYGPT_TOKENS - 1; t++, count++) {
            teenygpt_step(&model, token);
            token = teenygpt_choose(&model, 1.0f, 0);
        }
    } while (clock() - start < 2 * CLOCKS_PER_SEC);
    printf("%ld tokens/s\n", (long)(count * CLOCKS_PER_SEC / (clock() - start)));
    return flushed();
}

int main(int argc, char **argv)
{
    long number = 10, top_k = 0;
    unsigned long seed = TEENYGPT_SEED;
    float temperature = TEENYGPT_TEMPERATURE;
    if (!teenygpt_check()) {
        fputs("the weights are damaged\n", stderr);
        return 1;
    }
    if (argc > 1 && strcmp(argv[1], "check") == 0)
        return check(argc > 2 ? argv[2] : "golden.txt");
    if (argc > 1 && strcmp(argv[1], "speed") == 0)
        return speed();
    for (int i = 1; i < argc; i += 2) {
        char *end = "";
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "-n") == 0)
            number = strtol(value, &end, 10);
        else if (strcmp(argv[i], "-s") == 0)
            seed = strtoul(value, &end, 10);
        else if (strcmp(argv[i], "-t") == 0)
            temperature = strtof(value, &end);
        else if (strcmp(argv[i], "-k") == 0)
            top_k = strtol(value, &end, 10);
        else
            value = "";
        if (!*value || *end || value[0] == '-' || number < 0 || seed > 0xffffffff || !(temperature >= 0.0f) ||
            top_k < 0 || top_k > 0x7fffffff) {
            fprintf(stderr, "%s %s is no setting\n", argv[i], value);
            fputs("usage: teenygpt [-n NUMBER] [-s SEED] [-t TEMPERATURE] [-k TOP_K]\n"
                  "       teenygpt check [golden.txt]\n"
                  "       teenygpt speed\n",
                  stderr);
            return 2;
        }
    }
    return write_texts(number, (uint32_t)seed, temperature, (int32_t)top_k);
}
