// The pieces that shells need: each asks the program itself what may come next (`PROGRAM __complete -- WORDS`), so that they never grow old.
// The program answers with a word a line, a tab and its description; a line `:files` says that names of files fit, too.

export const SHELLS = ['bash', 'zsh', 'fish'] as const;

export type Shell = (typeof SHELLS)[number];

/** The script of a shell for a program. */
export function completionScript(shell: Shell, program: string): string {
  return { bash, zsh, fish }[shell](program);
}

function bash(program: string): string {
  return `# bash completion of ${program}. To load it: source <(${program} completion bash)
_${program}() {
  local line cur files= IFS=$' \\t\\n'
  local -a words
  # Words as they are typed: bash itself would cut them at = and :.
  read -r -a words <<< "\${COMP_LINE:0:COMP_POINT}"
  [[ "\${COMP_LINE:0:COMP_POINT}" == *[[:space:]] ]] && words+=("")
  cur="\${words[\${#words[@]}-1]}"
  COMPREPLY=()
  while IFS= read -r line; do
    if [[ "$line" == ":files" ]]; then files=yes; else COMPREPLY+=("\${line%%$'\\t'*}"); fi
  done < <("\${words[0]}" __complete -- "\${words[@]:1}" 2>/dev/null)
  if [[ -n "$files" ]]; then
    compopt -o filenames 2>/dev/null
    while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "\${cur##*=}")
    return
  fi
  # What stands before the last = or : is there already.
  local before=""
  [[ "$cur" == *[=:]* ]] && before="\${cur%"\${cur##*[=:]}"}"
  COMPREPLY=("\${COMPREPLY[@]#"$before"}")
  [[ \${#COMPREPLY[@]} -eq 1 && "\${COMPREPLY[0]}" == *= ]] && compopt -o nospace 2>/dev/null
}
complete -F _${program} ${program}
`;
}

function zsh(program: string): string {
  return `#compdef ${program}
# zsh completion of ${program}. To load it: source <(${program} completion zsh), after compinit
_${program}() {
  local line word files=
  local -a found
  for line in "\${(@f)$(\${words[1]} __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    if [[ "$line" == ":files" ]]; then files=yes; continue; fi
    [[ -z "$line" ]] && continue
    word="\${line%%$'\\t'*}"
    found+=("\${word//:/\\\\:}:\${line#*$'\\t'}")
  done
  (( \${#found} )) && _describe -V '${program}' found
  [[ -n "$files" ]] && _files
}
compdef _${program} ${program}
`;
}

function fish(program: string): string {
  return `# fish completion of ${program}. To load it: ${program} completion fish | source
function __${program}_complete
  set -l words (commandline -opc) (commandline -ct)
  for line in ($words[1] __complete -- $words[2..-1] 2>/dev/null)
    if test "$line" = ":files"
      __fish_complete_path (commandline -ct)
    else
      echo $line
    end
  end
end
complete -c ${program} -f -a '(__${program}_complete)'
`;
}
