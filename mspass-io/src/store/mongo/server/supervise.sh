# Runs mongod ("$@" but for the first argument) and ends it when standard input ends, that is,
# when the process that started this is gone, however it ended. Standard output is a locked file:
# mongod holds it open, so the lock lasts as long as mongod does.
short=$1
shift
exec 3<&0 4>&1 </dev/null >/dev/null
"$@" 3<&- &
mongod=$!
(
    exec 4>&-
    while read -r _; do :; done <&3
    kill -TERM $mongod
    seconds=0
    while kill -0 $mongod; do
        sleep 1
        seconds=$((seconds + 1))
        [ $seconds -lt 60 ] || kill -KILL $mongod
    done
) 2>/dev/null &
watcher=$!
exec 3<&- 4>&-
wait $mongod
code=$?
kill $watcher 2>/dev/null
if [ -n "$short" ]; then
    rm -f "$short/d"
    rmdir "$short"
fi
exit $code
