#include "tests/diff/native_switch.h"

struct native_context native_context;

#define AT(field, offset)                                        \
    _Static_assert(offsetof(struct native_context, field) == (offset), "")

AT(rflags, 128);
AT(entry, 136);
AT(far_ip, 144);
AT(fs_base, 152);
AT(host_fs, 168);
AT(x_in, 184);
AT(sel, 200);
AT(is_far, 216);
AT(running, 224);
AT(out_gpr, 232);
AT(out_rflags, 360);
AT(out_sel, 384);

/* Registers are 0..7 by their encoding: AX CX DX BX SP BP SI DI. */
#define EACH(X)                                                      \
    X("%rax", 0) X("%rcx", 1) X("%rdx", 2) X("%rbx", 3)              \
    X("%rbp", 5) X("%rsi", 6) X("%rdi", 7) X("%r8", 8) X("%r9", 9)   \
    X("%r10", 10) X("%r11", 11) X("%r12", 12) X("%r13", 13)          \
    X("%r14", 14) X("%r15", 15)
#define CTX(offset) "native_context+" #offset "(%rip)"
#define LOAD(reg, n) "mov native_context+8*" #n "(%rip), " reg "\n"
#define SAVE(reg, n) "mov " reg ", native_context+232+8*" #n "(%rip)\n"

__asm__(
    ".text\n"
    ".globl native_enter, native_leave, native_signal_entry\n"
    ".hidden native_context, native_on_signal\n"

    "native_enter:\n"
    "push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n push %r15\n"
    "mov %rsp, " CTX(176) "\n"
    "rdfsbase %rax\n"
    "mov %rax, " CTX(168) "\n"
    "mov " CTX(184) ", %rdi\n"
    "mov $7, %eax\n"
    "xor %edx, %edx\n"
    "xrstor64 (%rdi)\n"
    /* MOV to a segment register is slow, and mostly nothing changes. */
    "cmpq $0, " CTX(216) "\n"
    "je 1f\n"
    "movzwl native_context+200(%rip), %eax\n mov %eax, %es\n"
    "movzwl native_context+206(%rip), %eax\n mov %eax, %ds\n"
    "movzwl native_context+208(%rip), %eax\n mov %eax, %fs\n"
    "movzwl native_context+210(%rip), %eax\n mov %eax, %gs\n"
    "movzwl native_context+204(%rip), %eax\n mov %eax, %ss\n"
    "jmp 2f\n"
    "1:\n"
    "mov " CTX(152) ", %rax\n wrfsbase %rax\n"
    "mov " CTX(160) ", %rax\n wrgsbase %rax\n"
    "2:\n"
    "movq $1, " CTX(224) "\n"
    "pushq " CTX(128) "\n"
    "popfq\n"
    EACH(LOAD)
    "mov native_context+32(%rip), %rsp\n"
    "jmp *native_jump(%rip)\n"
    "native_jump_64:\n"
    "jmp *" CTX(136) "\n"
    "native_jump_far:\n"
    "ljmpl *" CTX(144) "\n"

    "native_leave:\n"
    EACH(SAVE)
    "mov %rsp, native_context+264(%rip)\n"
    "mov " CTX(176) ", %rsp\n"
    "pushfq\n"
    "popq " CTX(360) "\n"
    "pushq $0x202\n"
    "popfq\n"
    "mov %es, native_context+384(%rip)\n"
    "mov %ss, native_context+388(%rip)\n"
    "mov %ds, native_context+390(%rip)\n"
    "mov %fs, native_context+392(%rip)\n"
    "mov %gs, native_context+394(%rip)\n"
    "rdfsbase %rax\n mov %rax, " CTX(368) "\n"
    "rdgsbase %rax\n mov %rax, " CTX(376) "\n"
    "mov " CTX(192) ", %rdi\n"
    "mov $7, %eax\n"
    "xor %edx, %edx\n"
    "xsave64 (%rdi)\n"
    "fninit\n"
    "xor %ebx, %ebx\n"

    /* EBX: the answer. */
    "native_return:\n"
    "movq $0, " CTX(224) "\n"
    "mov %ss, %eax\n"
    "cmp $0x2b, %ax\n"
    "je 1f\n"
    "mov $0x2b, %eax\n"
    "mov %eax, %ss\n"
    "1:\n"
    "mov %ds, %eax\n mov %es, %ecx\n mov %fs, %edx\n mov %gs, %esi\n"
    "or %ecx, %eax\n or %edx, %eax\n or %esi, %eax\n"
    "test %ax, %ax\n"
    "je 2f\n"
    "xor %eax, %eax\n"
    "mov %eax, %ds\n mov %eax, %es\n mov %eax, %fs\n mov %eax, %gs\n"
    "2:\n"
    "mov " CTX(168) ", %rax\n"
    "wrfsbase %rax\n"
    "vzeroupper\n"
    "pushq $0x1f80\n"
    "ldmxcsr (%rsp)\n"
    "pop %rax\n"
    "mov %ebx, %eax\n"
    "pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n"
    "ret\n"

    "native_signal_entry:\n"
    "pushfq\n"
    "andq $~0x40400, (%rsp)\n"
    "popfq\n"
    /* C needs the host's FS.  From here on another signal is not the
     * program's. */
    "rdfsbase %rax\n"
    "mov " CTX(168) ", %rcx\n"
    "wrfsbase %rcx\n"
    "mov " CTX(224) ", %rbx\n"
    "movq $0, " CTX(224) "\n"
    "test %rbx, %rbx\n"
    "je 1f\n"
    "mov %rax, " CTX(368) "\n"
    "rdgsbase %rcx\n mov %rcx, " CTX(376) "\n"
    "mov %es, native_context+384(%rip)\n"
    "mov %ds, native_context+390(%rip)\n"
    "mov %fs, native_context+392(%rip)\n"
    "mov %gs, native_context+394(%rip)\n"
    "1:\n"
    "mov %rbx, %rcx\n"
    "push %rax\n" /* aligns the stack, too */
    "call native_on_signal\n"
    "pop %rcx\n"
    "test %eax, %eax\n"
    "jne 2f\n"
    "mov %rbx, " CTX(224) "\n"
    "wrfsbase %rcx\n"
    "ret\n" /* to the kernel, which restores RBX and all others */
    "2:\n"
    "mov " CTX(176) ", %rsp\n"
    "mov $1, %ebx\n"
    "jmp native_return\n"

    ".section .data.rel.local, \"aw\"\n"
    ".balign 8\n"
    ".globl native_jump\n"
    "native_jump: .quad native_jump_64\n"
    ".globl native_jump_to\n"
    "native_jump_to: .quad native_jump_64, native_jump_far\n"
    ".text\n");
