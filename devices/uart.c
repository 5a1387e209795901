#include "devices/uart.h"

enum {
    REG_DATA = 0, /* RBR, THR, DLL */
    REG_IER = 1,  /* IER, DLM */
    REG_IIR = 2,  /* IIR, FCR */
    REG_LCR = 3,
    REG_MCR = 4,
    REG_LSR = 5,
    REG_MSR = 6,
    REG_SCR = 7,
    UART_PORTS = 8,
};

enum {
    IER_RDA = 0x01,
    IER_THRE = 0x02,
    IER_RLS = 0x04,
    IER_MSR = 0x08,
    IER_BITS = 0x0f,
    IIR_NONE = 0x01,
    IIR_MSR = 0x00,
    IIR_THRE = 0x02,
    IIR_RDA = 0x04,
    IIR_RLS = 0x06,
    IIR_TIMEOUT = 0x0c,
    IIR_FIFOS = 0xc0,
    FCR_ENABLE = 0x01,
    FCR_CLEAR_RX = 0x02,
    FCR_DMA = 0x08,
    FCR_TRIGGER = 0xc0,
    LCR_WORD = 0x03,
    LCR_TWO_STOP = 0x04,
    LCR_PARITY = 0x08,
    LCR_DLAB = 0x80,
    MCR_DTR = 0x01,
    MCR_RTS = 0x02,
    MCR_OUT1 = 0x04,
    MCR_OUT2 = 0x08,
    MCR_LOOP = 0x10,
    MCR_BITS = 0x1f,
    LSR_DR = 0x01,
    LSR_OE = 0x02,
    LSR_ERRORS = 0x1e, /* OE, PE, FE, BI */
    LSR_THRE = 0x20,
    LSR_TEMT = 0x40,
    MSR_DELTAS = 0x0f,
    MSR_TERI = 0x04,
    MSR_CTS = 0x10,
    MSR_DSR = 0x20,
    MSR_RI = 0x40,
    MSR_DCD = 0x80,
    MSR_LINES = 0xf0,
};

enum { TIMEOUT_CHARACTERS = 4 };

static bool has_fifo(const struct uart *u)
{
    return u->fcr & FCR_ENABLE;
}

static size_t capacity(const struct uart *u)
{
    return has_fifo(u) ? UART_FIFO : 1;
}

static size_t trigger_level(const struct uart *u)
{
    static const uint8_t levels[4] = {1, 4, 8, 14};

    return has_fifo(u) ? levels[u->fcr >> 6] : 1;
}

/* Start bit, word, parity and stop bits at 16 clocks each. */
static vtime character_ns(const struct uart *u)
{
    unsigned bits = 1u + 5u + (u->lcr & LCR_WORD) +
                    (u->lcr & LCR_PARITY ? 1u : 0u) +
                    (u->lcr & LCR_TWO_STOP ? 2u : 1u);
    uint64_t clocks = (uint64_t)bits * 16 * (u->divisor ? u->divisor : 1);

    return clock_scale(clocks, NS_PER_S, UART_HZ);
}

/* The highest of the pending, enabled sources: data sheet, table 5. */
static uint8_t interrupt_id(const struct uart *u)
{
    size_t count = ring_count(&u->rx);

    if ((u->ier & IER_RLS) && (u->lsr & LSR_ERRORS))
        return IIR_RLS;
    if ((u->ier & IER_RDA) && count >= trigger_level(u))
        return IIR_RDA;
    if ((u->ier & IER_RDA) && u->timeout_pending)
        return IIR_TIMEOUT;
    if ((u->ier & IER_THRE) && u->thre_pending)
        return IIR_THRE;
    if ((u->ier & IER_MSR) && (u->msr & MSR_DELTAS))
        return IIR_MSR;
    return IIR_NONE;
}

/* On a PC, OUT2 enables the buffer between INTR and the bus. */
static void update_irq(struct uart *u)
{
    line_set(&u->irq, (u->mcr & MCR_OUT2) && interrupt_id(u) != IIR_NONE);
}

/* The FIFO has been touched: the idle time begins again. */
static void restart_timeout(struct uart *u)
{
    u->timeout_pending = false;
    if (has_fifo(u) && ring_count(&u->rx))
        timer_set(u->clk, &u->timeout,
                  clock_now(u->clk) + TIMEOUT_CHARACTERS * character_ns(u));
    else
        timer_cancel(u->clk, &u->timeout);
}

static void timeout_due(void *owner)
{
    struct uart *u = owner;

    u->timeout_pending = true;
    update_irq(u);
}

/* The request falls before new bytes can raise it: the interrupt controller
 * must see an edge for each. */
static void ask_for_input(struct uart *u)
{
    update_irq(u);
    if (u->host && u->host->ready && !(u->mcr & MCR_LOOP))
        u->host->ready(u->host);
}

static void set_modem_lines(struct uart *u, uint8_t lines)
{
    uint8_t changed = (u->msr ^ lines) & MSR_LINES;

    /* The ring indicator reports only its end. */
    if (lines & MSR_RI)
        changed &= (uint8_t)~MSR_RI;
    u->msr = (uint8_t)(lines | (u->msr & MSR_DELTAS) | changed >> 4);
}

/* In loopback the modem control outputs feed the inputs. */
static void update_modem(struct uart *u)
{
    uint8_t lines = u->host ? MSR_CTS | MSR_DSR | MSR_DCD : 0;

    if (u->mcr & MCR_LOOP)
        lines = (uint8_t)((u->mcr & MCR_RTS ? MSR_CTS : 0) |
                          (u->mcr & MCR_DTR ? MSR_DSR : 0) |
                          (u->mcr & MCR_OUT1 ? MSR_RI : 0) |
                          (u->mcr & MCR_OUT2 ? MSR_DCD : 0));
    set_modem_lines(u, lines);
}

static void loop_back(struct uart *u, uint8_t byte)
{
    if (ring_count(&u->rx) < capacity(u)) {
        ring_push(&u->rx, byte);
    } else {
        u->lsr |= LSR_OE;
        /* Without a FIFO the new byte wins: data sheet, LSR bit 1. */
        if (!has_fifo(u)) {
            ring_reset(&u->rx);
            ring_push(&u->rx, byte);
        }
    }
    restart_timeout(u);
}

/* THRE falls with the write and rises when the byte has gone. */
static void write_thr(struct uart *u, uint8_t byte)
{
    u->thre_pending = false;
    update_irq(u);
    if (u->mcr & MCR_LOOP)
        loop_back(u, byte);
    else
        chardev_write(u->host, &byte, 1);
    u->thre_pending = true;
}

static void clear_rx(struct uart *u)
{
    ring_reset(&u->rx);
    restart_timeout(u);
    ask_for_input(u);
}

static uint8_t read_rbr(struct uart *u)
{
    uint8_t byte = 0;

    ring_pop(&u->rx, &byte);
    restart_timeout(u);
    if (!ring_count(&u->rx))
        ask_for_input(u);
    return byte;
}

/* The transmitter is empty: enabling its interrupt raises it. */
static void write_ier(struct uart *u, uint8_t value)
{
    if (value & ~u->ier & IER_THRE)
        u->thre_pending = true;
    u->ier = value & IER_BITS;
}

static void write_fcr(struct uart *u, uint8_t value)
{
    bool switched = (value ^ u->fcr) & FCR_ENABLE;

    u->fcr = value & FCR_ENABLE ? value & (FCR_ENABLE | FCR_DMA | FCR_TRIGGER)
                                : 0;
    if (switched || (value & FCR_CLEAR_RX))
        clear_rx(u);
}

static void write_mcr(struct uart *u, uint8_t value)
{
    bool was_looping = u->mcr & MCR_LOOP;

    u->mcr = value & MCR_BITS;
    update_modem(u);
    if (was_looping)
        ask_for_input(u);
}

static uint8_t read_iir(struct uart *u)
{
    uint8_t id = interrupt_id(u);

    if (id == IIR_THRE)
        u->thre_pending = false;
    return (uint8_t)(id | (has_fifo(u) ? IIR_FIFOS : 0));
}

static uint8_t read_lsr(struct uart *u)
{
    uint8_t value = u->lsr | LSR_THRE | LSR_TEMT;

    u->lsr &= (uint8_t)~LSR_ERRORS;
    return ring_count(&u->rx) ? value | LSR_DR : value;
}

static uint8_t read_msr(struct uart *u)
{
    uint8_t value = u->msr;

    u->msr &= MSR_LINES;
    return value;
}

static uint8_t read_register(struct uart *u, uint64_t offset)
{
    bool dlab = u->lcr & LCR_DLAB;

    switch (offset) {
    case REG_DATA: return dlab ? (uint8_t)u->divisor : read_rbr(u);
    case REG_IER: return dlab ? (uint8_t)(u->divisor >> 8) : u->ier;
    case REG_IIR: return read_iir(u);
    case REG_LCR: return u->lcr;
    case REG_MCR: return u->mcr;
    case REG_LSR: return read_lsr(u);
    case REG_MSR: return read_msr(u);
    default: return u->scratch;
    }
}

static void write_divisor(struct uart *u, uint64_t offset, uint8_t value)
{
    if (offset == REG_DATA)
        u->divisor = (uint16_t)((u->divisor & 0xff00) | value);
    else
        u->divisor = (uint16_t)((u->divisor & 0x00ff) | value << 8);
}

static void write_register(struct uart *u, uint64_t offset, uint8_t value)
{
    if ((u->lcr & LCR_DLAB) && offset <= REG_IER) {
        write_divisor(u, offset, value);
        return;
    }
    switch (offset) {
    case REG_DATA: write_thr(u, value); break;
    case REG_IER: write_ier(u, value); break;
    case REG_IIR: write_fcr(u, value); break;
    case REG_LCR: u->lcr = value; break;
    case REG_MCR: write_mcr(u, value); break;
    case REG_SCR: u->scratch = value; break;
    default: break; /* LSR and MSR are for reading */
    }
}

static uint64_t uart_read(void *dev, uint64_t offset, unsigned size)
{
    struct uart *u = dev;
    uint8_t value = read_register(u, offset);

    (void)size;
    update_irq(u);
    return value;
}

static void uart_write(void *dev, uint64_t offset, uint64_t value,
                       unsigned size)
{
    struct uart *u = dev;

    (void)size;
    write_register(u, offset, (uint8_t)value);
    update_irq(u);
}

/* From the host.  In loopback the receiver is cut off from its pin. */
static size_t uart_receive(void *dev, const uint8_t *data, size_t size)
{
    struct uart *u = dev;
    size_t count = ring_count(&u->rx);
    size_t room = count < capacity(u) ? capacity(u) - count : 0;
    size_t taken = size < room ? size : room;

    if ((u->mcr & MCR_LOOP) || !taken)
        return 0;
    taken = ring_push_block(&u->rx, data, taken);
    restart_timeout(u);
    update_irq(u);
    return taken;
}

/* Data sheet, table 3; the divisor and the scratch register keep theirs. */
static void uart_reset(void *dev)
{
    struct uart *u = dev;

    u->ier = u->fcr = u->lcr = u->mcr = u->lsr = 0;
    u->thre_pending = false;
    update_modem(u);
    u->msr &= MSR_LINES;
    clear_rx(u);
    update_irq(u);
}

static void uart_after_load(void *dev)
{
    struct uart *u = dev;

    u->ier &= IER_BITS;
    timer_set(u->clk, &u->timeout, u->timeout.when);
    update_irq(u);
    ask_for_input(u);
}

static const struct field uart_state[] = {
    FIELD(struct uart, divisor),
    FIELD(struct uart, ier),
    FIELD(struct uart, fcr),
    FIELD(struct uart, lcr),
    FIELD(struct uart, mcr),
    FIELD(struct uart, lsr),
    FIELD(struct uart, msr),
    FIELD(struct uart, scratch),
    FIELD(struct uart, thre_pending),
    FIELD(struct uart, timeout_pending),
    FIELD(struct uart, rx.head),
    FIELD(struct uart, rx.tail),
    FIELD_BUFFER(struct uart, rx.data),
    FIELD_TIME(struct uart, timeout),
    FIELD_END,
};

static const struct device_class uart_class = {
    .name = "uart",
    .reset = uart_reset,
    .after_load = uart_after_load,
    .state = uart_state,
};

static const struct region_ops uart_ops = {
    .read = uart_read,
    .write = uart_write,
    .max_size = 1,
};

bool uart_init(struct uart *u, const char *id, struct space *io, uint16_t base,
               struct clock *clk, struct line irq)
{
    struct region ports = {id, base, UART_PORTS, &uart_ops, u};

    *u = (struct uart){
        .dev = {&uart_class, id}, .clk = clk, .irq = irq, .divisor = 12};
    timer_init(&u->timeout, timeout_due, u);
    if (!space_map(io, &ports))
        return false;
    uart_reset(u);
    return true;
}

void uart_connect(struct uart *u, struct chardev *host)
{
    u->host = host;
    if (host) {
        host->receive = uart_receive;
        host->dev = u;
    }
    update_modem(u);
    update_irq(u);
    ask_for_input(u);
}
