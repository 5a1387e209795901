# 7-Zip: its benchmark, which compares check sums of what it packed and
# unpacked; archives of real files in several methods, byte for byte.
cd /tmp || exit 1
7zz b -mmt1 -md18 1 >report
echo "benchmark: exit code $?, $(grep -c '^Tot' report) results"
7zz h '-scrc*' /usr/bin/python3.11 | grep -v -i time
for method in LZMA2 LZMA PPMd BZip2 Deflate; do
    7zz a -mmt1 -mtm- -mtc- -mta- -m0=$method -bso0 -bsp0 pack.$method.7z \
        /usr/lib/python3.11/[a-d]*.py
    7zz t -bso0 -bsp0 pack.$method.7z
    echo "$method: exit code $?, $(sha256sum <pack.$method.7z)"
done
7zz a -mmt1 -mtm- -mtc- -mta- -bso0 -bsp0 -psecret -mhe=off store.7z \
    /usr/lib/python3.11/re
7zz t -bso0 -bsp0 -psecret store.7z
echo "encrypted: exit code $?"
