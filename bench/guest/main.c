/* bench list       names every row
 * bench ROW...     runs the rows
 * bench serve      runs the rows that its standard input names, one per line
 *
 * Of each row it prints "BEGIN name" and "END name checksum" as they happen,
 * for somebody outside to read his own clock: one inside an emulator is not
 * to be trusted with this. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <termios.h>
#include <unistd.h>

#include "bench.h"

static const struct row *const tables[] = {integer_rows,   memory_rows,
                                           float_rows,     system_rows,
                                           extension_rows, sha256_rows};
#define TABLES (sizeof(tables) / sizeof(tables[0]))

static const struct row *find_row(const char *name)
{
    for (size_t t = 0; t < TABLES; t++)
        for (const struct row *row = tables[t]; row->name; row++)
            if (!strcmp(row->name, name))
                return row;
    return NULL;
}

static void list_rows(void)
{
    for (size_t t = 0; t < TABLES; t++)
        for (const struct row *row = tables[t]; row->name; row++)
            puts(row->name);
}

/* The memory is new for every row, with pages of 4 KB everywhere. */
static int run_row(const char *name)
{
    const struct row *row = find_row(name);
    unsigned char *arena = mmap(NULL, ARENA_BYTES, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint64_t result;

    if (!row || arena == MAP_FAILED) {
        printf("FAIL %s\n", name);
        return 1;
    }
    madvise(arena, ARENA_BYTES, MADV_NOHUGEPAGE);
    if (row->prepare)
        row->prepare(arena);
    printf("BEGIN %s\n", name);
    result = row->run(arena, row->count);
    printf("END %s %016" PRIx64 "\n", name, result);
    munmap(arena, ARENA_BYTES);
    return 0;
}

static void stop_echo(void)
{
    struct termios terminal;

    if (tcgetattr(0, &terminal))
        return;
    terminal.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(0, TCSANOW, &terminal);
}

static int serve(void)
{
    char line[64];

    stop_echo();
    puts("\nREADY"); /* firmware may have left a line unfinished */
    while (fgets(line, sizeof(line), stdin)) {
        line[strcspn(line, "\r\n")] = 0;
        run_row(line);
    }
    return 0;
}

int main(int argc, char **argv)
{
    int failed = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc == 2 && !strcmp(argv[1], "list")) {
        list_rows();
        return 0;
    }
    if (argc == 2 && !strcmp(argv[1], "serve"))
        return serve();
    for (int i = 1; i < argc; i++)
        failed |= run_row(argv[i]);
    return failed;
}
