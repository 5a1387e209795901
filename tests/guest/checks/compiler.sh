# gcc and tcc compile zlib's example programs, whose results are compared, and
# gcc compiles Copal's own sources to assembly, which is compared too.
cd /tmp || exit 1
examples=/usr/share/doc/zlib1g-dev/examples
minigzip=$examples/minigzip.c
gcc-12 --version | head -n 1

try()
{
    compiler=$1
    shift
    for level in "" -O1 -O2 "-O3 -march=x86-64-v3"; do
        # shellcheck disable=SC2086
        $compiler $level -w -o enough $examples/enough.c || return
        # shellcheck disable=SC2086
        $compiler $level -w -o minigzip $minigzip -lz || return
        # shellcheck disable=SC2086
        $compiler $level -w -o example $examples/example.c -lz || return
        echo "$compiler $level: $(sha256sum <enough) $(sha256sum <minigzip)"
        ./example
        ./enough 120 9 15
        ./minigzip <$minigzip >packed
        sha256sum packed
        ./minigzip -d <packed | cmp - $minigzip && echo "minigzip right"
        [ "$compiler" = gcc-12 ] || break
    done
}

try gcc-12
try tcc
for file in /check/source/*/*.c; do
    gcc-12 -std=c11 -D_GNU_SOURCE -O2 -I/check/source -S -o out.s "$file"
    echo "$file $(sha256sum <out.s)"
done
