; Entry from the boot loader in 32-bit protected mode and the way to long mode,
; and the switch to a program and back.  The stubs that lead to `trapped` are
; in start.inc.

%use altreg
%define W 8
%define GPRS 16
%define gpr(n) r %+ n
%include "start.inc"

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
        jmp KCODE:long_start

bits 64
default rel

long_start:
        kernel_data ds, es, ss
        mov rsp, boot_stack_end
        call kernel_main
.stop:  cli
        hlt
        jmp .stop

global reload_segments
reload_segments:
        kernel_data ds, es, fs, gs, ss
        pop rax
        push qword KCODE
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
        push qword [in + R_SP]
        push qword [in + R_FLAGS]
        push qword [in + R_CS]
        push qword [in + R_IP]
        load_segment es, R_ES
        load_segment fs, R_FS
        load_segment gs, R_GS
        load_segment ds, R_DS
        load_registers
        iretq

; Stores a segment register in a field of `out`.
%macro store_segment 2
        mov eax, %1
        mov [out + %2], rax
%endmacro

; The frame: vector error rip cs rflags rsp ss
trapped:
%assign i 0
%rep GPRS
  %if i != 4
        mov [out + R_GPR + W * i], gpr(i)
  %endif
  %assign i i + 1
%endrep
        pop qword [out + R_VECTOR]
        pop qword [out + R_ERROR]
        pop qword [out + R_IP]
        pop qword [out + R_CS]
        pop qword [out + R_FLAGS]
        pop qword [out + R_SP]
        pop qword [out + R_SS]
        store_segment ds, R_DS
        store_segment es, R_ES
        store_segment fs, R_FS
        store_segment gs, R_GS
        mov rax, cr2
        mov [out + R_CR2], rax
        kernel_data ds, es, ss
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
