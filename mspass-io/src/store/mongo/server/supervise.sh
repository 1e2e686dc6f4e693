# Runs mongod ("$@" but for the first three arguments), starts it again when it dies, and ends it when
# standard input ends, that is, when the process that started this is gone, however it ended.
# Standard output is a locked file: mongod holds it open, so the lock lasts as long as mongod does.
# A line on standard input says that mongod has come up; one that never did is not started again.
short=$1
restarts_max=$2
bound=$3
shift 3
# A program that binds itself to us and then becomes mongod: it ends even when we are killed.
[ -z "$bound" ] || set -- "$bound" "--exec-child-of=$$" "$@"
rm -f up ending pid restarts
exec 3<&0 4>&1 </dev/null >/dev/null
"$@" 3<&- &
mongod=$!
echo $mongod >pid
(
    exec 4>&-
    while read -r _; do : >up; done <&3
    : >ending
    ended=
    seconds=0
    while kill -0 $$ || kill -0 "$(cat pid)"; do
        current=$(cat pid)
        [ "$current" = "$ended" ] || kill -TERM "$current"
        ended=$current
        sleep 1
        seconds=$((seconds + 1))
        [ $seconds -lt 60 ] || kill -KILL "$current"
    done
) 2>/dev/null &
watcher=$!
exec 3<&-
deaths=0
while :; do
    began=$(date +%s)
    wait $mongod
    code=$?
    [ -e up ] && [ ! -e ending ] || break
    # Only deaths soon after another count.
    [ $(($(date +%s) - began)) -lt 60 ] || deaths=0
    deaths=$((deaths + 1))
    [ $deaths -le "$restarts_max" ] || break
    echo $code >>restarts
    "$@" &
    mongod=$!
    echo $mongod >pid
done
kill $watcher 2>/dev/null
# Our end frees the lock: until then these files are ours, afterwards those of a successor.
rm -f up ending pid
if [ -n "$short" ]; then
    rm -f "$short/d"
    rmdir "$short"
fi
exit $code
