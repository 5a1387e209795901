# Toolchain file: a build for AArch64 on another host, run by qemu-user.
#
# Libraries beyond libc come from Debian packages that tools/arm64_root.sh
# unpacks into a folder of the cache; without it, tests are built only where
# nothing else is needed.

set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CROSSCOMPILING_EMULATOR
    qemu-aarch64-static -L /usr/aarch64-linux-gnu)

if(DEFINED ENV{COPAL_CACHE})
  set(copal_cache $ENV{COPAL_CACHE})
elseif(DEFINED ENV{XDG_CACHE_HOME})
  set(copal_cache $ENV{XDG_CACHE_HOME}/copal)
else()
  set(copal_cache $ENV{HOME}/.cache/copal)
endif()
set(copal_root ${copal_cache}/arm64/root)

# Only this folder: pkg-config would otherwise answer for the build machine.
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${copal_root})
set(ENV{PKG_CONFIG_LIBDIR} ${copal_root}/usr/lib/aarch64-linux-gnu/pkgconfig)
