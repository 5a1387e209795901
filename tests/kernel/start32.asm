; Entry from the boot loader, exception stubs, and the switch to a program and
; back, in 32-bit protected mode.  Layout of struct regs: kernel.h.

bits 32

R_GPR   equ 0
R_IP    equ 32
R_FLAGS equ 36
R_CS    equ 40
R_SS    equ 44
R_DS    equ 48
R_ES    equ 52
R_FS    equ 56
R_GS    equ 60
R_VECTOR equ 64
R_ERROR equ 68
R_CR2   equ 72

KDATA   equ 0x10

extern kernel_main, in, out, boot_info

section .multiboot
align 4
        dd 0x1badb002, 0, -0x1badb002

section .bss
align 16
boot_stack:     resb 16384
boot_stack_end:
kernel_esp:     resd 1
saved_ss:       resd 1
saved_frame:    resd 1

section .note.GNU-stack noalloc noexec nowrite progbits
section .text

global _start
_start:
        mov esp, boot_stack_end
        mov [boot_info], ebx
        call kernel_main
.stop:  cli
        hlt
        jmp .stop

; void reload_segments(void): after LGDT
global reload_segments
reload_segments:
        mov eax, KDATA
        mov ds, ax
        mov es, ax
        mov fs, ax
        mov gs, ax
        mov ss, ax
        jmp 0x08:.next
.next:  ret

; void enter(void): runs the program of `in`; returns when a stub is reached.
global enter
enter:
        pushad
        mov [kernel_esp], esp
        test dword [in + R_FLAGS], 1 << 17
        jnz .v86
        test dword [in + R_CS], 3
        jnz .outer
        mov ax, [in + R_SS]
        mov ss, ax
        mov esp, [in + R_GPR + 16]
        jmp .inner
.v86:   push dword [in + R_GS]
        push dword [in + R_FS]
        push dword [in + R_DS]
        push dword [in + R_ES]
.outer: push dword [in + R_SS]
        push dword [in + R_GPR + 16]
.inner: push dword [in + R_FLAGS]
        push dword [in + R_CS]
        push dword [in + R_IP]
        test dword [in + R_FLAGS], 1 << 17
        jnz .registers
        mov ax, [in + R_ES]
        mov es, ax
        mov ax, [in + R_FS]
        mov fs, ax
        mov ax, [in + R_GS]
        mov gs, ax
        push dword [in + R_DS]
        jmp .all
.registers:
        push dword KDATA
.all:   mov eax, [in + R_GPR]
        mov ecx, [in + R_GPR + 4]
        mov edx, [in + R_GPR + 8]
        mov ebx, [in + R_GPR + 12]
        mov ebp, [in + R_GPR + 20]
        mov esi, [in + R_GPR + 24]
        mov edi, [in + R_GPR + 28]
        pop ds
        iretd

; Each stub leaves: vector, error code (0 if the processor pushes none).
%macro stub 1
stub_%1:
  %if %1 = 8 || (%1 >= 10 && %1 <= 14) || %1 = 17 || %1 = 21
  %else
        push dword 0
  %endif
        push dword %1
        jmp trapped
%endmacro

%assign i 0
%rep 256
        stub i
  %assign i i + 1
%endrep

; The frame: gs fs es ds | pushad | vector error | eip cs eflags [esp ss ...]
trapped:
        pushad
        push ds
        push es
        push fs
        push gs
        mov eax, KDATA
        mov ds, eax
        mov ax, ss
        mov [saved_ss], eax
        mov [saved_frame], esp
        mov ebp, esp
        mov eax, [ebp + 0]
        mov [out + R_GS], eax
        mov eax, [ebp + 4]
        mov [out + R_FS], eax
        mov eax, [ebp + 8]
        mov [out + R_ES], eax
        mov eax, [ebp + 12]
        mov [out + R_DS], eax
%assign i 0
%rep 8
        mov eax, [ebp + 16 + 4 * (7 - i)]
        mov [out + R_GPR + 4 * i], eax
  %assign i i + 1
%endrep
        mov eax, [ebp + 48]
        mov [out + R_VECTOR], eax
        mov eax, [ebp + 52]
        mov [out + R_ERROR], eax
        mov eax, [ebp + 56]
        mov [out + R_IP], eax
        mov ecx, [ebp + 60]
        mov [out + R_CS], ecx
        mov edx, [ebp + 64]
        mov [out + R_FLAGS], edx
        test edx, 1 << 17
        jnz .v86
        test cl, 3
        jnz .outer
        lea eax, [ebp + 68]
        mov [out + R_GPR + 16], eax
        mov eax, [saved_ss]
        mov [out + R_SS], eax
        jmp leave
.v86:   mov eax, [ebp + 76]
        mov [out + R_ES], eax
        mov eax, [ebp + 80]
        mov [out + R_DS], eax
        mov eax, [ebp + 84]
        mov [out + R_FS], eax
        mov eax, [ebp + 88]
        mov [out + R_GS], eax
.outer: mov eax, [ebp + 68]
        mov [out + R_GPR + 16], eax
        mov eax, [ebp + 72]
        mov [out + R_SS], eax

leave:
        mov eax, cr2
        mov [out + R_CR2], eax
        mov eax, KDATA
        mov es, eax
        mov fs, eax
        mov gs, eax
        mov ss, eax
        mov esp, [kernel_esp]
        push dword 2
        popfd
        popad
        ret

; The task of #DF begins here.  It goes on as the kernel: the C code puts TR
; and the busy bits right.
global df_entry
extern df_state
df_entry:
        mov eax, KDATA
        mov ds, eax
        pop dword [out + R_ERROR]
        mov dword [out + R_VECTOR], 8
        mov dword [df_state], 1
        jmp leave

section .rodata
global stub_table
align 4
stub_table:
%assign i 0
%rep 256
        dd stub_%[i]
  %assign i i + 1
%endrep
