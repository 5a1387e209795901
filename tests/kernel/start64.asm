; Entry from the boot loader in 32-bit protected mode and the way to long mode,
; exception stubs, and the switch to a program and back.  Layout of struct
; regs: kernel.h.

R_GPR   equ 0
R_IP    equ 128
R_FLAGS equ 136
R_CS    equ 144
R_SS    equ 152
R_DS    equ 160
R_ES    equ 168
R_FS    equ 176
R_GS    equ 184
R_VECTOR equ 192
R_ERROR equ 200
R_CR2   equ 208

KDATA   equ 0x10

extern kernel_main, in, out, boot_info

section .multiboot
align 4
        dd 0x1badb002, 0, -0x1badb002

section .bss
align 4096
global pml4, pdpt, pd
pml4:           resb 4096
pdpt:           resb 4096
pd:             resb 4096
boot_stack:     resb 16384
boot_stack_end:
kernel_rsp:     resq 1

section .data
align 8
boot_gdt:       dq 0, 0x00af9b000000ffff, 0x00cf93000000ffff
boot_gdtr:      dw 23
                dd boot_gdt

section .note.GNU-stack noalloc noexec nowrite progbits
section .text
bits 32

; One to one: 2 MiB pages below 1 GiB; the first 4 MiB are the kernel's, the
; rest everyone's.
global _start
_start:
        mov esp, boot_stack_end
        mov [boot_info], ebx
        mov eax, pdpt
        or eax, 7
        mov [pml4], eax
        mov eax, pd
        or eax, 7
        mov [pdpt], eax
        mov edi, pd
        mov eax, 0x83
        mov ecx, 512
.fill:  cmp ecx, 510
        ja .store
        or eax, 4
.store: mov [edi], eax
        add edi, 8
        add eax, 0x200000
        loop .fill
        mov eax, cr4
        or eax, 0x20
        mov cr4, eax
        mov eax, pml4
        mov cr3, eax
        mov ecx, 0xc0000080
        rdmsr
        or eax, 0x100
        wrmsr
        mov eax, cr0
        or eax, 0x80000001
        mov cr0, eax
        lgdt [boot_gdtr]
        jmp 0x08:long_start

bits 64
default rel

long_start:
        mov eax, KDATA
        mov ds, eax
        mov es, eax
        mov ss, eax
        mov rsp, boot_stack_end
        call kernel_main
.stop:  cli
        hlt
        jmp .stop

global reload_segments
reload_segments:
        mov eax, KDATA
        mov ds, eax
        mov es, eax
        mov fs, eax
        mov gs, eax
        mov ss, eax
        pop rax
        push qword 0x08
        push rax
        retfq

; void enter(void): runs the program of `in`; returns when a stub is reached.
global enter
enter:
        push rbx
        push rbp
        push r12
        push r13
        push r14
        push r15
        mov [kernel_rsp], rsp
        push qword [in + R_SS]
        push qword [in + R_GPR + 32]
        push qword [in + R_FLAGS]
        push qword [in + R_CS]
        push qword [in + R_IP]
        mov eax, [in + R_ES]
        mov es, eax
        mov eax, [in + R_FS]
        mov fs, eax
        mov eax, [in + R_GS]
        mov gs, eax
        mov eax, [in + R_DS]
        mov ds, eax
        mov rax, [in + R_GPR]
        mov rcx, [in + R_GPR + 8]
        mov rdx, [in + R_GPR + 16]
        mov rbx, [in + R_GPR + 24]
        mov rbp, [in + R_GPR + 40]
        mov rsi, [in + R_GPR + 48]
        mov rdi, [in + R_GPR + 56]
%assign i 8
%rep 8
        mov r%[i], [in + R_GPR + 8 * i]
  %assign i i + 1
%endrep
        iretq

%macro stub 1
stub_%1:
  %if %1 = 8 || (%1 >= 10 && %1 <= 14) || %1 = 17 || %1 = 21
  %else
        push qword 0
  %endif
        push qword %1
        jmp trapped
%endmacro

%assign i 0
%rep 256
        stub i
  %assign i i + 1
%endrep

; The frame: vector error rip cs rflags rsp ss
trapped:
        mov [out + R_GPR], rax
        mov [out + R_GPR + 8], rcx
        mov [out + R_GPR + 16], rdx
        mov [out + R_GPR + 24], rbx
        mov [out + R_GPR + 40], rbp
        mov [out + R_GPR + 48], rsi
        mov [out + R_GPR + 56], rdi
%assign i 8
%rep 8
        mov [out + R_GPR + 8 * i], r%[i]
  %assign i i + 1
%endrep
        pop qword [out + R_VECTOR]
        pop qword [out + R_ERROR]
        pop qword [out + R_IP]
        pop qword [out + R_CS]
        pop qword [out + R_FLAGS]
        pop qword [out + R_GPR + 32]
        pop qword [out + R_SS]
        xor eax, eax
        mov ax, ds
        mov [out + R_DS], rax
        mov ax, es
        mov [out + R_ES], rax
        mov ax, fs
        mov [out + R_FS], rax
        mov ax, gs
        mov [out + R_GS], rax
        mov rax, cr2
        mov [out + R_CR2], rax
        mov eax, KDATA
        mov ds, eax
        mov es, eax
        mov ss, eax
        mov rsp, [kernel_rsp]
        push qword 2
        popfq
        pop r15
        pop r14
        pop r13
        pop r12
        pop rbp
        pop rbx
        ret

section .rodata
global stub_table
align 8
stub_table:
%assign i 0
%rep 256
        dq stub_%[i]
  %assign i i + 1
%endrep
