# Types lines into an interactive zsh, each with two tabs behind it, and prints what the shell then shows.
# Usage: zsh -f type-in-zsh.zsh SCRIPT LINE…
zmodload zsh/zpty
zpty -b shell "zsh -f -i"
zpty -w shell "source $1; unsetopt beep; echo RE''ADY"
shift
shown=""
for try in {1..100}; do
  while zpty -r -t shell chunk; do shown+=$chunk; done
  [[ $shown == *READY* ]] && break
  sleep 0.1
done
for line in "$@"; do
  zpty -w -n shell "$line"$'\t\t'
  shown=""
  for try in {1..40}; do
    while zpty -r -t shell chunk; do shown+=$chunk; done
    sleep 0.05
  done
  print -r -- "== $line"
  print -r -- "$shown"
  zpty -w -n shell $'\x15'
  sleep 0.1
done
zpty -d shell
