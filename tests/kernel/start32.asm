; Entry from the boot loader, and the switch to a program and back, in 32-bit
; protected mode.  The stubs that lead to `trapped` are in start.inc.

bits 32

%use altreg
%define W 4
%define GPRS 8
%define gpr(n) r %+ n %+ d
%include "start.inc"

section .bss
align 16
boot_stack:     resb 16384
boot_stack_end:
kernel_esp:     resd 1
saved_ss:       resd 1

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
        kernel_data ds, es, fs, gs, ss
        jmp KCODE:.next
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
        load_segment ss, R_SS
        mov esp, [in + R_SP]
        jmp .inner
.v86:   push dword [in + R_GS]
        push dword [in + R_FS]
        push dword [in + R_DS]
        push dword [in + R_ES]
.outer: push dword [in + R_SS]
        push dword [in + R_SP]
.inner: push dword [in + R_FLAGS]
        push dword [in + R_CS]
        push dword [in + R_IP]
        test dword [in + R_FLAGS], 1 << 17
        jnz .registers
        load_segment es, R_ES
        load_segment fs, R_FS
        load_segment gs, R_GS
        push dword [in + R_DS]
        jmp .all
.registers:
        push dword KDATA
.all:   load_registers
        pop ds
        iretd

; Copies words of the frame at ebp, from byte %1 on, to fields of `out`.
%macro take 2-*
  %assign at %1
  %rep %0 - 1
    %rotate 1
        mov eax, [ebp + at]
        mov [out + %1], eax
    %assign at at + 4
  %endrep
%endmacro

; The frame: gs fs es ds | pushad | vector error | eip cs eflags [esp ss ...]
trapped:
        pushad
        push ds
        push es
        push fs
        push gs
        kernel_data ds
        mov ax, ss
        mov [saved_ss], eax
        mov ebp, esp
        take 0, R_GS, R_FS, R_ES, R_DS
%assign i 0
%rep 8
        take 16 + 4 * (7 - i), R_GPR + 4 * i
  %assign i i + 1
%endrep
        take 48, R_VECTOR, R_ERROR, R_IP, R_CS, R_FLAGS
        test dword [out + R_FLAGS], 1 << 17
        jnz .v86
        test dword [out + R_CS], 3
        jnz .outer
        lea eax, [ebp + 68]
        mov [out + R_SP], eax
        mov eax, [saved_ss]
        mov [out + R_SS], eax
        jmp leave
.v86:   take 76, R_ES, R_DS, R_FS, R_GS
.outer: take 68, R_SP, R_SS

leave:
        mov eax, cr2
        mov [out + R_CR2], eax
        kernel_data es, fs, gs, ss
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
        kernel_data ds
        pop dword [out + R_ERROR]
        mov dword [out + R_VECTOR], 8
        mov dword [df_state], 1
        jmp leave
