/*
 * Threads: chr.write and feed run on the machine's, everything named on_ on
 * the terminal's.  The lock is never held across a callback.
 */
#include "frontend/term.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/compiler.h"

enum {
    CTRL_A = 0x01,
    CTRL_C = 0x03,
    RETRY_MS = 10,      /* the mailbox is full */
    PATIENCE_MS = 1000, /* at the end, with an output that does not move */
};

/* --- waking the thread --- */

static void poke(struct term *t)
{
    uint64_t one = 1;
    ssize_t done = write(t->wake, &one, sizeof(one));

    (void)done; /* full: it is awake */
}

static void hear_poke(struct term *t)
{
    uint64_t count;
    ssize_t done = read(t->wake, &count, sizeof(count));

    (void)done;
}

/* --- output --- */

/* Under the lock.  The newest bytes are dropped when the buffer is full. */
static void append(struct term *t, const uint8_t *data, size_t size)
{
    size_t room = TERM_OUTPUT - t->count, at, first;

    if (size > room)
        size = room;
    at = (t->head + t->count) % TERM_OUTPUT;
    first = size < TERM_OUTPUT - at ? size : TERM_OUTPUT - at;
    memcpy(t->output + at, data, first);
    memcpy(t->output, data + first, size - first);
    t->count += size;
}

static void term_write(struct chardev *c, const uint8_t *data, size_t size)
{
    struct term *t = container_of(c, struct term, chr);
    bool was_empty;

    pthread_mutex_lock(&t->lock);
    was_empty = t->count == 0;
    if (t->out >= 0)
        append(t, data, size);
    pthread_mutex_unlock(&t->lock);
    if (was_empty && size)
        poke(t);
}

static void say(struct term *t, const char *text)
{
    pthread_mutex_lock(&t->lock);
    append(t, (const uint8_t *)text, strlen(text));
    pthread_mutex_unlock(&t->lock);
}

static void close_output(struct term *t)
{
    pthread_mutex_lock(&t->lock);
    if (t->owns_out)
        close(t->out);
    t->out = -1;
    t->owns_out = false;
    t->count = 0;
    pthread_mutex_unlock(&t->lock);
}

static size_t pending(struct term *t)
{
    size_t count;

    pthread_mutex_lock(&t->lock);
    count = t->count;
    pthread_mutex_unlock(&t->lock);
    return count;
}

/* Only this thread takes bytes out, so those at head stay while the lock is
 * free.  A description that is not ours may block: little at a time. */
static void on_output_room(struct term *t)
{
    size_t count = pending(t), limit = t->owns_out ? TERM_OUTPUT : TERM_BATCH;
    ssize_t done;

    if (count > TERM_OUTPUT - t->head)
        count = TERM_OUTPUT - t->head;
    if (count > limit)
        count = limit;
    done = write(t->out, t->output + t->head, count);
    if (done < 0) {
        if (errno != EAGAIN && errno != EINTR)
            close_output(t);
        return;
    }
    pthread_mutex_lock(&t->lock);
    t->head = (t->head + (size_t)done) % TERM_OUTPUT;
    t->count -= (size_t)done;
    pthread_mutex_unlock(&t->lock);
}

/* --- input --- */

/* Takes the next bytes out of the ring; who fills it goes on if it was full. */
static void refill(struct term *t)
{
    bool was_full;

    pthread_mutex_lock(&t->lock);
    was_full = ring_room(&t->input) < TERM_BATCH;
    t->is_announced = false;
    t->held_at = 0;
    t->held_count = ring_pop_block(&t->input, t->held, sizeof(t->held));
    pthread_mutex_unlock(&t->lock);
    if (was_full)
        poke(t);
}

static size_t give(struct term *t)
{
    size_t size = t->held_count - t->held_at;

    if (!t->chr.receive)
        return size;
    return t->chr.receive(t->chr.dev, t->held + t->held_at, size);
}

/* Gives the guest what it takes; the rest waits for `ready`. */
static void feed(struct term *t)
{
    do {
        if (t->held_at == t->held_count)
            refill(t);
        if (t->held_at < t->held_count)
            t->held_at += give(t);
    } while (t->held_count && t->held_at == t->held_count);
}

static void take_input(void *owner, uint64_t arg)
{
    (void)arg;
    feed(owner);
}

static void term_ready(struct chardev *c)
{
    feed(container_of(c, struct term, chr));
}

static void type(struct term *t, uint8_t byte)
{
    pthread_mutex_lock(&t->lock);
    ring_push(&t->input, byte);
    pthread_mutex_unlock(&t->lock);
}

static void command(struct term *t, uint8_t key)
{
    switch (key) {
    case 'x': t->wants_quit = true; break;
    case CTRL_A: type(t, CTRL_A); break;
    case 'h':
    case '?':
        say(t, "\nCtrl-A x       end the machine\n"
               "Ctrl-A h       this help\n"
               "Ctrl-A Ctrl-A  send Ctrl-A\n");
        break;
    default: break;
    }
}

static void on_key(struct term *t, uint8_t key)
{
    if (t->has_prefix) {
        t->has_prefix = false;
        command(t, key);
    } else if (key == CTRL_A) {
        t->has_prefix = true;
    } else {
        type(t, key);
    }
}

static void on_input(struct term *t)
{
    uint8_t bytes[TERM_BATCH];
    ssize_t got = read(t->in, bytes, sizeof(bytes));

    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (got <= 0)
        t->in = -1;
    for (ssize_t i = 0; i < got; i++)
        on_key(t, bytes[i]);
}

/* Both are tried again if the mailbox is full.  True if one has to be. */
static bool announce(struct term *t)
{
    struct message msg = {.run = take_input, .owner = t};
    bool is_due;

    pthread_mutex_lock(&t->lock);
    is_due = ring_count(&t->input) && !t->is_announced;
    t->is_announced |= is_due;
    pthread_mutex_unlock(&t->lock);
    if (is_due && !mailbox_post(t->client.mailbox, &msg)) {
        pthread_mutex_lock(&t->lock);
        t->is_announced = false;
        pthread_mutex_unlock(&t->lock);
        return true;
    }
    if (t->wants_quit)
        t->wants_quit = !t->client.quit(t->client.owner);
    return t->wants_quit;
}

/* --- the terminal's mode --- */

/* As cfmakeraw, but output is still made readable: a guest may send bare line
 * feeds, and so do our own messages. */
static void make_raw(const struct term *t)
{
    struct termios raw = t->before;

    raw.c_iflag &= ~(tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR |
                               IGNCR | ICRNL | IXON);
    raw.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | IEXTEN);
    if (t->client.takes_interrupt)
        raw.c_lflag &= ~(tcflag_t)ISIG;
    raw.c_cflag = (raw.c_cflag & ~(tcflag_t)(CSIZE | PARENB)) | CS8;
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

void term_restore(const struct term *t)
{
    if (t->is_running && t->is_tty)
        tcsetattr(STDIN_FILENO, TCSANOW, &t->before);
}

/* --- signals --- */

static void handled_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGHUP);
    sigaddset(set, SIGCONT);
}

static void on_signal(struct term *t)
{
    struct signalfd_siginfo info;

    if (read(t->signals, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return;
    if (info.ssi_signo == SIGCONT) {
        if (t->is_tty)
            make_raw(t);
    } else if (info.ssi_signo == SIGINT && t->client.takes_interrupt) {
        type(t, CTRL_C);
    } else {
        t->ended_by = (int)info.ssi_signo;
        t->wants_quit = true;
    }
}

/* --- the thread --- */

/* A pipe waits when the guest does not read; keys of a person are lost then,
 * because Ctrl-A must still be heard. */
static bool may_read(struct term *t)
{
    bool has_room;

    pthread_mutex_lock(&t->lock);
    has_room = ring_room(&t->input) >= TERM_BATCH;
    pthread_mutex_unlock(&t->lock);
    return t->in >= 0 && (t->is_tty || has_room);
}

static bool is_stopping(struct term *t)
{
    bool stopping;

    pthread_mutex_lock(&t->lock);
    stopping = t->is_stopping;
    pthread_mutex_unlock(&t->lock);
    return stopping;
}

/* One wait and what it brings.  False if nothing came within `timeout`. */
static bool serve(struct term *t, int timeout)
{
    struct pollfd fds[] = {
        {t->wake, POLLIN, 0},
        {t->signals, POLLIN, 0},
        {may_read(t) ? t->in : -1, POLLIN, 0},
        {pending(t) ? t->out : -1, POLLOUT, 0},
    };
    int ready = poll(fds, array_len(fds), timeout);

    if (ready <= 0)
        return ready != 0;
    if (fds[0].revents)
        hear_poke(t);
    if (fds[1].revents)
        on_signal(t);
    if (fds[2].revents)
        on_input(t);
    if (fds[3].revents)
        on_output_room(t);
    return true;
}

static void *term_thread(void *arg)
{
    struct term *t = arg;
    bool retry = false;

    while (!is_stopping(t)) {
        serve(t, retry ? RETRY_MS : -1);
        retry = announce(t);
    }
    t->in = -1;
    while (t->out >= 0 && pending(t) && serve(t, PATIENCE_MS))
        continue;
    return NULL;
}

/* --- life --- */

/* Standard output without waiting: a description of our own, because its flags
 * are shared with the shell's.  Files never wait and keep their offset. */
static void open_output(struct term *t)
{
    struct stat st;
    int fd = -1;

    t->out = STDOUT_FILENO;
    if (fstat(STDOUT_FILENO, &st))
        return;
    if (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode))
        fd = open("/proc/self/fd/1",
                  O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return;
    t->out = fd;
    t->owns_out = true;
}

/* A background job must not touch the terminal.  One that does not control this
 * session, such as a script's, has no foreground: -1. */
static void open_input(struct term *t)
{
    pid_t foreground = tcgetpgrp(STDIN_FILENO);

    t->in = STDIN_FILENO;
    t->is_tty = tcgetattr(STDIN_FILENO, &t->before) == 0;
    if (t->is_tty && foreground != -1 && foreground != getpgrp()) {
        t->is_tty = false;
        t->in = -1;
    }
}

bool term_init(struct term *t)
{
    sigset_t set;

    memset(t, 0, sizeof(*t));
    t->chr = (struct chardev){
        .name = "terminal", .write = term_write, .ready = term_ready};
    handled_signals(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    t->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    t->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (t->signals < 0 || t->wake < 0)
        return false;
    pthread_mutex_init(&t->lock, NULL);
    t->output = xalloc(TERM_OUTPUT);
    open_output(t);
    open_input(t);
    return true;
}

bool term_start(struct term *t, const struct term_client *client)
{
    int error;

    t->client = *client;
    t->is_running = true;
    if (t->is_tty)
        make_raw(t);
    error = pthread_create(&t->thread, NULL, term_thread, t);
    if (!error)
        return true;
    term_restore(t);
    t->is_running = false;
    errno = error;
    return false;
}

void term_stop(struct term *t)
{
    pthread_mutex_lock(&t->lock);
    t->is_stopping = true;
    pthread_mutex_unlock(&t->lock);
    poke(t);
    pthread_join(t->thread, NULL);
    term_restore(t);
    t->is_running = false;
}

void term_destroy(struct term *t)
{
    if (t->owns_out)
        close(t->out);
    close(t->wake);
    close(t->signals);
    pthread_mutex_destroy(&t->lock);
    free(t->output);
}
