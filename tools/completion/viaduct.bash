# SPDX-License-Identifier: BSD-2-Clause
# bash completion for viaduct(8)

# The first column of a list, from the daemon with the options typed so far.
_viaduct_first_column()
{
	viaduct --timeout 1 "${_viaduct_options[@]}" "$1" 2>/dev/null |
		awk 'NR > 1 { print $1 } NR > 200 { exit }'
}

_viaduct()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local commands='status calls call flows peers peer listeners routes hangup events reload log stop version'
	local options='--json --port --daemon-user --timeout --version --help'
	local -a words=() _viaduct_options=()
	local i

	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-p | --port | -u | --daemon-user)
			_viaduct_options+=("${COMP_WORDS[i]}" "${COMP_WORDS[i + 1]}")
			((i++))
			;;
		-t | --timeout | --at) ((i++)) ;;
		-*) ;;
		*) words+=("${COMP_WORDS[i]}") ;;
		esac
	done

	# Those of one command stand before it, too.
	case ${words[0]-} in
	'') options+=' --at --drain --now --leave' ;;
	routes) options+=' --at' ;;
	stop) options+=' --drain --now --leave' ;;
	esac

	COMPREPLY=()
	case $prev in
	-p | --port | -t | --timeout | --at) return ;;
	-u | --daemon-user)
		mapfile -t COMPREPLY < <(compgen -u -- "$cur")
		return
		;;
	esac
	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
		return
	fi
	case "${words[*]}" in
	'') mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$cur") ;;
	call | events | hangup*)
		mapfile -t COMPREPLY < <(compgen -W "$(_viaduct_first_column calls)" -- "$cur")
		;;
	stop) mapfile -t COMPREPLY < <(compgen -W '--drain --now --leave' -- "$cur") ;;
	'peer '*)
		((${#words[@]} == 2)) && mapfile -t COMPREPLY < <(compgen -W 'drain block resume' -- "$cur")
		;;
	log) mapfile -t COMPREPLY < <(compgen -W 'error warn info debug' -- "$cur") ;;
	routes) mapfile -t COMPREPLY < <(compgen -W 'test' -- "$cur") ;;
	peer | 'routes test')
		mapfile -t COMPREPLY < <(compgen -W "$(_viaduct_first_column peers)" -- "$cur")
		;;
	esac
}

complete -F _viaduct viaduct
