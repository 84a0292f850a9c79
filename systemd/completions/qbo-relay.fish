# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_qbo_relay_global_optspecs
    string join \n h/help V/version
end

function __fish_qbo_relay_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_qbo_relay_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_qbo_relay_using_subcommand
    set -l cmd (__fish_qbo_relay_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c qbo-relay -n "__fish_qbo_relay_needs_command" -s h -l help -d 'Print help'
complete -c qbo-relay -n "__fish_qbo_relay_needs_command" -s V -l version -d 'Print version'
complete -c qbo-relay -n "__fish_qbo_relay_needs_command" -f -a "run" -d 'Run the gateway until SIGTERM or SIGINT; SIGHUP re-reads certificates, secrets and log level'
complete -c qbo-relay -n "__fish_qbo_relay_needs_command" -f -a "reload" -d 'Have the running relay read certificates, secrets and log level again'
complete -c qbo-relay -n "__fish_qbo_relay_needs_command" -f -a "check" -d 'Read and explain the configuration, certificate chain, journal, board and sinks'
complete -c qbo-relay -n "__fish_qbo_relay_needs_command" -f -a "demo" -d 'Show the whole main job on this machine, without any configuration'
complete -c qbo-relay -n "__fish_qbo_relay_needs_command" -f -a "simulate" -d 'Act as Intuit: sign and post payloads to a relay; or, with --company, be an Intuit to try it with'
complete -c qbo-relay -n "__fish_qbo_relay_needs_command" -f -a "status" -d 'Ask the running relay how it is'
complete -c qbo-relay -n "__fish_qbo_relay_needs_command" -f -a "journal" -d 'Read the journal, whether the relay runs or not'
complete -c qbo-relay -n "__fish_qbo_relay_needs_command" -f -a "replay" -d 'Send changes again: one, those of a receipt, a range, a filter, or the dead letters'
complete -c qbo-relay -n "__fish_qbo_relay_needs_command" -f -a "dead-letter" -d 'List, send again or put aside what sinks did not take in the end'
complete -c qbo-relay -n "__fish_qbo_relay_needs_command" -f -a "led" -d 'Drive the lamp by hand'
complete -c qbo-relay -n "__fish_qbo_relay_needs_command" -f -a "boot-import" -d 'Take in the configuration that lies on the boot partition'
complete -c qbo-relay -n "__fish_qbo_relay_needs_command" -f -a "sink" -d 'Switch a sink on again that answered 410'
complete -c qbo-relay -n "__fish_qbo_relay_needs_command" -f -a "connect" -d 'Ask for the consent by which the relay may read a QuickBooks company'
complete -c qbo-relay -n "__fish_qbo_relay_needs_command" -f -a "admin-secret" -d 'Make the secrets by which callers of the Open Connectors interface are let in'
complete -c qbo-relay -n "__fish_qbo_relay_needs_command" -f -a "company" -d 'Show the companies that the relay may read, or end that'
complete -c qbo-relay -n "__fish_qbo_relay_needs_command" -f -a "vault" -d 'Change the key that seals tokens in the journal'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand run" -l config -d 'The configuration file' -r -F
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand run" -s h -l help -d 'Print help'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand reload" -l config -d 'The configuration file' -r -F
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand reload" -l pid -d 'The relay\'s process, which gets SIGHUP where the configuration cannot be read that says where its control socket is: so that it knows, and says, that its reload was refused' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand reload" -s h -l help -d 'Print help'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand check" -l config -d 'The configuration file' -r -F
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand check" -s h -l help -d 'Print help'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand demo" -l stay -d 'Keep it running afterwards, with everything printed that is needed to try it by hand'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand demo" -s h -l help -d 'Print help'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand simulate" -l token-file -d 'File with the verifier token that signs the payloads' -r -F
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand simulate" -l ca-file -d 'PEM file with the roots to trust instead of the system\'s' -r -F
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand simulate" -l count -d 'Posts to send' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand simulate" -l rate -d 'Posts a second, as fast as the answers come when not given; with `--company`, changes a second, one in five seconds when not given' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand simulate" -l connections -d 'Connections that send at the same time' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand simulate" -l events-per-post -d 'Changes in each payload' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand simulate" -l realms -d 'Companies that the changes are spread over' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand simulate" -l format -d 'Form of the payloads' -r -f -a "cloudevents\t'A JSON array of CloudEvents, as Intuit sends today'
legacy\t'`eventNotifications`, as Intuit sent until July 2026'
mixed\t'One and the other in turn'"
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand simulate" -l repeat -d 'Of 100 posts, so many repeat an earlier one (expected answer: 200)' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand simulate" -l forge -d 'Of 100 posts, so many are signed with a wrong token (expected answer: 403)' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand simulate" -l malform -d 'Of 100 posts, so many are signed well but are not JSON (expected answer: 200)' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand simulate" -l retries -d 'Try again what was not acknowledged, on Intuit\'s schedule (10 s, 20 s, 30 s, 5 min, ...), so many times; with `--company` 100 times when not given' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand simulate" -l hurry -d 'Divide the pauses of that schedule by this' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand simulate" -l ledger -d 'Append the body of each acknowledged post to this file, one a line' -r -F
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand simulate" -l seed -d 'The same seed sends the same payloads (their times aside); a random one, which is printed, when not given' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand simulate" -l listen -d 'Where to listen' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand simulate" -l certificate -d 'Serve HTTPS, with a certificate made now and written to this file, for clients to trust' -r -F
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand simulate" -l notify -d 'Tell this relay of each change; `--token-file` signs' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand simulate" -l lose -d 'Of 100 changes, so many are never told' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand simulate" -l delay -d 'Tell each change up to so many seconds late' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand simulate" -l records -d 'Records of each common kind that are there from the start' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand simulate" -l client-id -d 'Client id of the app that may ask' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand simulate" -l client-secret -d 'Its secret' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand simulate" -l redirect-uri -d 'The address to come back to that is registered for the app; any when not given' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand simulate" -l environment -d '`production` or `sandbox`' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand simulate" -l rotation -d 'When a refresh changes the refresh token; the old one is dead then' -r -f -a "each-time\t'At each refresh'
daily\t'When the value is older than a day, as Intuit does'
never\t'Never'"
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand simulate" -l consent -d 'What the person does on the authorization page' -r -f -a "at-once\t'Consents at once, to the first company that the app is not connected to'
page\t'Sees a page and chooses'
refused\t'Refuses at once'"
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand simulate" -l insecure -d 'Trust any certificate'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand simulate" -l disorder -d 'Send every second payload before the one that happened earlier'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand simulate" -l company -d 'Be Intuit with companies: authorization, tokens, Change Data Capture, Query; until Ctrl-C'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand simulate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand status" -l config -d 'The configuration file' -r -F
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand status" -l json -d 'The whole answer as JSON'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand status" -s h -l help -d 'Print help'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand journal; and not __fish_seen_subcommand_from list show events verify discard export" -s h -l help -d 'Print help'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand journal; and not __fish_seen_subcommand_from list show events verify discard export" -f -a "list" -d 'List receipts, newest last'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand journal; and not __fish_seen_subcommand_from list show events verify discard export" -f -a "show" -d 'Show one receipt: what arrived, what was understood, what became of it'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand journal; and not __fish_seen_subcommand_from list show events verify discard export" -f -a "events" -d 'List what happened to the relay, newest last: starts and ends, reloads, certificates, the clock'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand journal; and not __fish_seen_subcommand_from list show events verify discard export" -f -a "verify" -d 'Check the journal: the database, every digest, every company\'s sequence'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand journal; and not __fish_seen_subcommand_from list show events verify discard export" -f -a "discard" -d 'Acknowledge entries that were not understood: they stay, and are not counted any more'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand journal; and not __fish_seen_subcommand_from list show events verify discard export" -f -a "export" -d 'Write every receipt as JSON lines to stdout'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand journal; and __fish_seen_subcommand_from list" -l config -d 'The configuration file' -r -F
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand journal; and __fish_seen_subcommand_from list" -l company -d 'Only those with a change of this company' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand journal; and __fish_seen_subcommand_from list" -l entity -d 'Only those with a change of records of this kind, or of one record: `Invoice`, `Invoice/130`' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand journal; and __fish_seen_subcommand_from list" -l since -d 'Only those received at this time or later' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand journal; and __fish_seen_subcommand_from list" -l until -d 'Only those received before this time' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand journal; and __fish_seen_subcommand_from list" -l state -d 'Only those in this state' -r -f -a "pending\t'Something of it has yet to reach a sink'
delivered\t'Nothing waits and nothing was given up'
dead\t'Something of it was given up, and nobody has looked after it'
not-understood\t'Something in it was not understood, and nobody has acknowledged it'"
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand journal; and __fish_seen_subcommand_from list" -l limit -d 'The newest so many; 0 means all of them' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand journal; and __fish_seen_subcommand_from list" -l json -d 'One JSON object a line'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand journal; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand journal; and __fish_seen_subcommand_from show" -l config -d 'The configuration file' -r -F
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand journal; and __fish_seen_subcommand_from show" -l json -d 'All of it as one JSON object'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand journal; and __fish_seen_subcommand_from show" -l raw -d 'The body byte for byte, also on a terminal, which it may garble'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand journal; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand journal; and __fish_seen_subcommand_from events" -l config -d 'The configuration file' -r -F
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand journal; and __fish_seen_subcommand_from events" -l limit -d 'The newest so many; a thousand are kept' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand journal; and __fish_seen_subcommand_from events" -l json -d 'One JSON object a line'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand journal; and __fish_seen_subcommand_from events" -s h -l help -d 'Print help'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand journal; and __fish_seen_subcommand_from verify" -l config -d 'The configuration file' -r -F
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand journal; and __fish_seen_subcommand_from verify" -l json -d 'The result as JSON'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand journal; and __fish_seen_subcommand_from verify" -s h -l help -d 'Print help'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand journal; and __fish_seen_subcommand_from discard" -l config -d 'The configuration file' -r -F
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand journal; and __fish_seen_subcommand_from discard" -l since -d 'Those received at this time or later' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand journal; and __fish_seen_subcommand_from discard" -l until -d 'Those received before this time' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand journal; and __fish_seen_subcommand_from discard" -l all -d 'All of them'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand journal; and __fish_seen_subcommand_from discard" -l dry-run -d 'Say which, and do nothing'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand journal; and __fish_seen_subcommand_from discard" -l yes -d 'Do not ask, however many there are'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand journal; and __fish_seen_subcommand_from discard" -l json -d 'As JSON'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand journal; and __fish_seen_subcommand_from discard" -s h -l help -d 'Print help'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand journal; and __fish_seen_subcommand_from export" -l config -d 'The configuration file' -r -F
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand journal; and __fish_seen_subcommand_from export" -l company -d 'Only those with a change of this company' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand journal; and __fish_seen_subcommand_from export" -l entity -d 'Only those with a change of records of this kind, or of one record: `Invoice`, `Invoice/130`' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand journal; and __fish_seen_subcommand_from export" -l since -d 'Only those received at this time or later' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand journal; and __fish_seen_subcommand_from export" -l until -d 'Only those received before this time' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand journal; and __fish_seen_subcommand_from export" -l state -d 'Only those in this state' -r -f -a "pending\t'Something of it has yet to reach a sink'
delivered\t'Nothing waits and nothing was given up'
dead\t'Something of it was given up, and nobody has looked after it'
not-understood\t'Something in it was not understood, and nobody has acknowledged it'"
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand journal; and __fish_seen_subcommand_from export" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand replay" -l config -d 'The configuration file' -r -F
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand replay" -l receipt -d 'The changes that this receipt brought, by the number that `journal list` shows' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand replay" -l event -d 'One event, by the id that `journal show` and the receivers show' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand replay" -l company -d 'The changes of this company' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand replay" -l from -d 'From this number of the company on, as `journal show` and `sequence` have it' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand replay" -l to -d 'Up to this number of the company' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand replay" -l entity -d 'The changes of records of this kind, or of one record: `Invoice`, `Invoice/130`' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand replay" -l since -d 'The changes received at this time or later; of dead letters, those given up then' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand replay" -l until -d 'The changes received before this time; of dead letters, those given up before it' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand replay" -l sink -d 'Only to this sink; may be given several times' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand replay" -l dead-letters -d 'The dead letters that nobody has looked after'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand replay" -l dry-run -d 'Say what would go where, and do nothing'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand replay" -l yes -d 'Do not ask, however many there are'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand replay" -l cancel -d 'End the replays that are not done, all of them or those of --sink and --company'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand replay" -l json -d 'The plan as JSON'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand replay" -s h -l help -d 'Print help'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand dead-letter; and not __fish_seen_subcommand_from list show replay discard" -s h -l help -d 'Print help'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand dead-letter; and not __fish_seen_subcommand_from list show replay discard" -f -a "list" -d 'List the dead letters that nobody has looked after, those of removed sinks included'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand dead-letter; and not __fish_seen_subcommand_from list show replay discard" -f -a "show" -d 'Show one: what it is, and why it was given up'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand dead-letter; and not __fish_seen_subcommand_from list show replay discard" -f -a "replay" -d 'Send them again to the sinks that did not take them'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand dead-letter; and not __fish_seen_subcommand_from list show replay discard" -f -a "discard" -d 'Put them aside: they stay in the journal, and call for nobody any more'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand dead-letter; and __fish_seen_subcommand_from list" -l config -d 'The configuration file' -r -F
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand dead-letter; and __fish_seen_subcommand_from list" -l sink -d 'Only those of this sink, configured or not; may be given several times' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand dead-letter; and __fish_seen_subcommand_from list" -l company -d 'Only those of this company' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand dead-letter; and __fish_seen_subcommand_from list" -l since -d 'Only those given up at this time or later' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand dead-letter; and __fish_seen_subcommand_from list" -l until -d 'Only those given up before this time' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand dead-letter; and __fish_seen_subcommand_from list" -l json -d 'One JSON object a line'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand dead-letter; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand dead-letter; and __fish_seen_subcommand_from show" -l config -d 'The configuration file' -r -F
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand dead-letter; and __fish_seen_subcommand_from show" -l json -d 'As JSON'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand dead-letter; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand dead-letter; and __fish_seen_subcommand_from replay" -l config -d 'The configuration file' -r -F
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand dead-letter; and __fish_seen_subcommand_from replay" -l sink -d 'Only those of this sink, configured or not; may be given several times' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand dead-letter; and __fish_seen_subcommand_from replay" -l company -d 'Only those of this company' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand dead-letter; and __fish_seen_subcommand_from replay" -l since -d 'Only those given up at this time or later' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand dead-letter; and __fish_seen_subcommand_from replay" -l until -d 'Only those given up before this time' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand dead-letter; and __fish_seen_subcommand_from replay" -l dry-run -d 'Say what would go where, and do nothing'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand dead-letter; and __fish_seen_subcommand_from replay" -l yes -d 'Do not ask, however many there are'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand dead-letter; and __fish_seen_subcommand_from replay" -l json -d 'The plan as JSON'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand dead-letter; and __fish_seen_subcommand_from replay" -s h -l help -d 'Print help'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand dead-letter; and __fish_seen_subcommand_from discard" -l config -d 'The configuration file' -r -F
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand dead-letter; and __fish_seen_subcommand_from discard" -l event -d 'Only those of this event, by its id' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand dead-letter; and __fish_seen_subcommand_from discard" -l sink -d 'Only those of this sink, configured or not; may be given several times' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand dead-letter; and __fish_seen_subcommand_from discard" -l company -d 'Only those of this company' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand dead-letter; and __fish_seen_subcommand_from discard" -l since -d 'Only those given up at this time or later' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand dead-letter; and __fish_seen_subcommand_from discard" -l until -d 'Only those given up before this time' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand dead-letter; and __fish_seen_subcommand_from discard" -l all -d 'All of them'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand dead-letter; and __fish_seen_subcommand_from discard" -l dry-run -d 'Say which, and do nothing'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand dead-letter; and __fish_seen_subcommand_from discard" -l yes -d 'Do not ask, however many there are'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand dead-letter; and __fish_seen_subcommand_from discard" -l json -d 'As JSON'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand dead-letter; and __fish_seen_subcommand_from discard" -s h -l help -d 'Print help'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand led; and not __fish_seen_subcommand_from test stopped" -s h -l help -d 'Print help'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand led; and not __fish_seen_subcommand_from test stopped" -f -a "test" -d 'Show every pattern in turn, and what it means'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand led; and not __fish_seen_subcommand_from test stopped" -f -a "stopped" -d 'Make the lamp say that no relay runs; for ExecStopPost=, never fails'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand led; and __fish_seen_subcommand_from test" -l seconds -d 'Seconds for each pattern' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand led; and __fish_seen_subcommand_from test" -l config -d 'The configuration file' -r -F
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand led; and __fish_seen_subcommand_from test" -s h -l help -d 'Print help'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand led; and __fish_seen_subcommand_from stopped" -l config -d 'The configuration file' -r -F
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand led; and __fish_seen_subcommand_from stopped" -s h -l help -d 'Print help'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand boot-import" -l from -d 'The boot partition' -r -F
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand boot-import" -l to -d 'The configuration\'s folder' -r -F
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand boot-import" -l owner -d 'The user that the relay runs as; the secrets become its files' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand boot-import" -s h -l help -d 'Print help'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand sink; and not __fish_seen_subcommand_from enable" -s h -l help -d 'Print help'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand sink; and not __fish_seen_subcommand_from enable" -f -a "enable" -d 'Deliver to it again; what waited for it goes out in order'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand sink; and __fish_seen_subcommand_from enable" -l config -d 'The configuration file' -r -F
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand sink; and __fish_seen_subcommand_from enable" -s h -l help -d 'Print help'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand connect" -l app -d 'The app, where more than one is configured' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand connect" -l paste -d 'The address that Intuit sent the browser to, where the browser could not reach the gateway; `-` reads it from stdin' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand connect" -l config -d 'The configuration file' -r -F
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand connect" -l no-wait -d 'Print the address to open and do not wait for what comes of it'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand connect" -s h -l help -d 'Print help'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand admin-secret" -l overlap -d 'How long the secrets before them stay good; `0 s` ends them at once' -r
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand admin-secret" -l config -d 'The configuration file' -r -F
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand admin-secret" -s h -l help -d 'Print help'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand company; and not __fish_seen_subcommand_from list disconnect approve forget" -s h -l help -d 'Print help'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand company; and not __fish_seen_subcommand_from list disconnect approve forget" -f -a "list" -d 'List the companies and whether they can be read'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand company; and not __fish_seen_subcommand_from list disconnect approve forget" -f -a "disconnect" -d 'End a connection: the tokens are revoked at Intuit and forgotten here'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand company; and not __fish_seen_subcommand_from list disconnect approve forget" -f -a "approve" -d 'Let a company be read that was connected in a browser, without a shell on the gateway'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand company; and not __fish_seen_subcommand_from list disconnect approve forget" -f -a "forget" -d 'Erase everything that is kept of a company: deliveries, changes, records, instances, and damaged journals that name it. What has left is not called back'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand company; and __fish_seen_subcommand_from list" -l config -d 'The configuration file' -r -F
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand company; and __fish_seen_subcommand_from list" -l json -d 'As JSON'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand company; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand company; and __fish_seen_subcommand_from disconnect" -l config -d 'The configuration file' -r -F
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand company; and __fish_seen_subcommand_from disconnect" -s h -l help -d 'Print help'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand company; and __fish_seen_subcommand_from approve" -l config -d 'The configuration file' -r -F
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand company; and __fish_seen_subcommand_from approve" -s h -l help -d 'Print help'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand company; and __fish_seen_subcommand_from forget" -l config -d 'The configuration file' -r -F
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand company; and __fish_seen_subcommand_from forget" -l dry-run -d 'Say what would be erased, and do nothing'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand company; and __fish_seen_subcommand_from forget" -l disconnect -d 'Disconnect it first, where it is connected'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand company; and __fish_seen_subcommand_from forget" -l json -d 'What was erased as JSON'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand company; and __fish_seen_subcommand_from forget" -s h -l help -d 'Print help'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand vault; and not __fish_seen_subcommand_from rekey" -s h -l help -d 'Print help'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand vault; and not __fish_seen_subcommand_from rekey" -f -a "rekey" -d 'Make another key, and seal everything with it that lies sealed in the journal'
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand vault; and __fish_seen_subcommand_from rekey" -l new-key-file -d 'A file with the new key, where the old one is given as a credential or inline; make one with `openssl rand -base64 32`. A key in a file of its own is replaced by a random one' -r -F
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand vault; and __fish_seen_subcommand_from rekey" -l config -d 'The configuration file' -r -F
complete -c qbo-relay -n "__fish_qbo_relay_using_subcommand vault; and __fish_seen_subcommand_from rekey" -s h -l help -d 'Print help'
