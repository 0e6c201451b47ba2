# The prober of the downtime meter: every 50 ms one health request on a new connection, and one on a kept connection.
# stdin: the target. args: number of the address (0: without extra probes), kind (http, unix, tcp), status, text that the
# response must contain, releases
# Prints a line per probe: start and end (ms since boot), `ok` or how it failed, new, kept or extra, the number of the
# address, and the release that the response names, or `-`. Exit status 3: it cannot ask this address; 1: it lost lines.
# One process for all probes: a curl for each costs many times as much. It uses modules of perl-base only. The conductor
# holds this text between single quotes, so none stands here. Never here: what the numbers mean.
use strict;
use Config;
use Errno;
use Socket qw(:DEFAULT getaddrinfo SOCK_NONBLOCK);

# How long a probe waits for its response (ms), and the time between two.
my ($patience, $pause) = (10_000, 50);
# While so many new ones wait, another one follows only this much later: they must not hold up a slow app.
my ($crowd, $calm) = (3, 1000);
# After a failure, so soon extra ones follow (ms), one at a time: they find the end of a gap that few requests survive.
# They do so for as long as this after the failure or a good response: a dead app costs no more than that.
my ($soon, $zeal) = (5, 1000);
# While a full queue drops connections, an extra one tries again after this time (ms).
my $knock = 50;
# How long a connection is kept (ms): an app that drains may wait for its end.
my $kept_for = 1000;

my ($number, $kind, $status, $contains, @releases) = @ARGV;
chomp(my $target = <STDIN>);
my ($parent, $ending) = getppid;
$SIG{TERM} = sub { $ending = 1 };
$SIG{PIPE} = "IGNORE";

# The clock of the events, CLOCK_BOOTTIME: perl-base has no Time::HiRes. The number of clock_gettime differs.
my ($machine) = $Config{archname} =~ /^(\w+)/;
my $clock_gettime = {x86_64 => 228, aarch64 => 113, riscv64 => 113, s390x => 260}->{$machine};
my $ahead = 0;
sub uptime {
    open my $uptime, "<", "/proc/uptime" or exit 1;
    return 1e3 * (split " ", <$uptime>)[0];
}
sub now {
    my $time = "\0" x 16;
    return uptime() if !$clock_gettime or syscall($clock_gettime, 7, $time) != 0;
    my ($seconds, $nanoseconds) = unpack "l!2", $time;
    return $seconds * 1e3 + $nanoseconds / 1e6 + $ahead;
}
# Some containers have a /proc/uptime of their own, which the events go by.
my ($before, $shown, $after) = (now(), uptime(), now());
$ahead = $shown - $after if $shown < $before - 20 or $shown > $after + 20;

# Where to connect to, and the request without its last header. A tcp check has none.
my (@addresses, $host, $port, $request);
my $rest = "HTTP/1.1\r\nUser-Agent: shipit\r\nAccept: */*\r\nHost:";
if ($kind eq "http") {
    $target =~ m{^http://((?:\[([^/?\#\]]+)\]|([^/?\#:]+))(?::(\d+))?)([/?][^\#]*)?} or exit 3;
    ($host, $port, $request) = ($2 // $3, $4 // 80, "GET " . ($5 // "/") . " $rest $1\r\n");
    $request =~ s{^GET \?}{GET /?};
} elsif ($kind eq "unix") {
    my ($socket, $path) = split " ", $target, 2;
    @addresses = [AF_UNIX, pack_sockaddr_un($socket)];
    $request = "GET $path $rest localhost\r\n";
} else {
    ($host, $port) = $target =~ /^(.*):(\d+)$/ or exit 3;
}
if (!@addresses) {
    my ($error, @found) = getaddrinfo($host, $port, {socktype => SOCK_STREAM});
    @addresses = map { [$_->{family}, $_->{addr}] } @found or exit 3;
}

# Probes under way; the kept connection, idle or asking; whether the last new connection was served, and the last time
# that this changed or any was; whether the app serves the kept connection at the expense of others; whether a line was
# lost.
my (@open, $kept, $served, $turned, $pinned, $torn);

# Without $how, the last error says how.
sub ended {
    my ($probe, $how, $body) = @_;
    $how ||= $!{ECONNREFUSED} || $!{ENOENT} ? "refused"
        : $!{ECONNRESET} || $!{EPIPE} ? "reset"
        : $!{ETIMEDOUT} ? "timeout"
        : "other";
    my ($named) = grep { index($body // "", $_) >= 0 } @releases;
    my $line = sprintf "%.1f %.1f %s %s %d %s\n", $probe->{at}, now(), $how, $probe->{kind}, $number, $named // "-";
    $torn = 1 if (syswrite(STDOUT, $line) // 0) != length $line;
    $turned = now() if $probe->{kind} ne "kept" and $how eq "ok" || $served;
    $served = $how eq "ok" if $probe->{kind} eq "new";
    @open = grep { $_ != $probe } @open;
    $kept = undef if $kept and $kept == $probe;
}

# Connects to the next address of the name. A unix socket whose queue is full is tried again.
sub connects {
    my ($probe) = @_;
    for (; $probe->{address} < @addresses; $probe->{address}++) {
        my ($family, $address) = @{$addresses[$probe->{address}]};
        socket $probe->{handle}, $family, SOCK_STREAM | SOCK_NONBLOCK, 0 or last;
        my $connected = connect $probe->{handle}, $address;
        $probe->{queued} = !$connected && $!{EAGAIN};
        return if $connected or $!{EINPROGRESS} or $!{EAGAIN};
    }
    ended($probe);
}

sub ask {
    my ($probe) = @_;
    my $last = $probe->{kind} eq "kept" ? "keep-alive" : "close";
    @$probe{qw(at in out idle)} = (now(), "", $request ? "${request}Connection: $last\r\n\r\n" : "", 0);
    push @open, $probe;
}

sub begin {
    my $probe = {kind => $_[0], address => 0, since => now()};
    $kept = $probe if $probe->{kind} eq "kept";
    ask($probe);
    connects($probe);
}

# The status, the body, whether it is all there, and whether the connection can be used again.
sub response {
    my ($text, $closed) = @_;
    1 while $text =~ s/^HTTP\S+ 1\d\d.*?\r?\n\r?\n//s;
    my ($head, $body) = split /\r?\n\r?\n/, $text, 2;
    my ($code) = ($head // "") =~ /^HTTP\S+ (\d{3})/;
    return if !defined $code or !defined $body;
    my ($whole, $too_long) = ($closed, length $text > 65536);
    if ($head =~ /^transfer-encoding:.*chunked/im) {
        my $left = $body;
        ($body, $whole) = ("", 0);
        while ($left =~ s/^([0-9a-f]+)[^\n]*\n//i) {
            my $size = hex $1;
            $whole = $size == 0;
            $body .= substr $left, 0, $size, "";
            $left =~ s/^\r?\n//;
        }
    } elsif ($head =~ /^content-length:\s*(\d+)/im) {
        $whole = length $body >= $1;
    } elsif ($code =~ /^[23]04/) {
        $whole = 1;
    }
    my $stays = !$closed && !$too_long && $head =~ m{^HTTP/1\.1} && $head !~ /^connection:.*close/im;
    return ($code, $body, $whole || $too_long, $stays);
}

# Goes on with a probe whose connection is ready.
sub turn {
    my ($probe) = @_;
    if (!$probe->{connected}) {
        $! = unpack "i", getsockopt $probe->{handle}, SOL_SOCKET, SO_ERROR;
        if ($!) {
            $probe->{address}++;
            return connects($probe);
        }
        $probe->{connected} = 1;
        return ended($probe, "ok") if !$request;
    }
    if (length $probe->{out}) {
        my $sent = syswrite $probe->{handle}, $probe->{out};
        return $!{EAGAIN} || ended($probe) if !defined $sent;
        substr $probe->{out}, 0, $sent, "";
        return;
    }
    my $got = sysread $probe->{handle}, $probe->{in}, 65536, length $probe->{in};
    return if !defined $got and $!{EAGAIN};
    # Closed between two requests: nothing was lost.
    return $kept = undef if $probe->{idle};
    return ended($probe) if !defined $got;
    my ($code, $body, $whole, $stays) = response($probe->{in}, !$got);
    return $got || ended($probe, "closed") if !$whole;
    ended($probe, $code == $status && index($body, $contains) >= 0 ? "ok" : "status", $body);
    return if $probe->{kind} ne "kept" or !$stays or !$served;
    # The kept connection must not hold up the app: it is closed when new ones are not served and it is.
    my ($oldest) = grep { $_->{kind} eq "new" } @open;
    $pinned ||= $oldest && now() - $oldest->{at} > 100;
    ($kept, $probe->{idle}) = ($probe, 1) if !$pinned && now() - $probe->{since} < $kept_for;
}

# In how many ms the next extra one is due, at least; undef: none is wanted.
sub extra_in {
    my @fresh = grep { $_->{kind} ne "kept" } @open;
    return if !$number or grep { $_->{kind} eq "extra" } @fresh;
    return $soon if defined $served && !$served && now() - $turned < $zeal;
    return if @fresh < $crowd;
    my $newest = $fresh[-1];
    return if $newest->{connected} or $newest->{queued} or now() - $newest->{at} < $knock;
    return $knock;
}

my $due = now();
my ($kept_due, $begun, $extra_begun) = ($due + 25, $due, $due);
until ($ending && !@open or getppid != $parent) {
    my $time = now();
    if ($time >= $due) {
        $due += $pause * (1 + int(($time - $due) / $pause));
        my $waiting = grep { $_->{kind} eq "new" } @open;
        if (!$ending and $waiting < $crowd || $time - $begun >= $calm) {
            $begun = $time;
            begin("new");
        }
    }
    if ($time >= $kept_due) {
        $kept_due += $pause * (1 + int(($time - $kept_due) / $pause));
        if ($kept and $kept->{idle} and !$ending) { ask($kept) }
        elsif ($request && $served && !$kept && !$pinned && !$ending) { begin("kept") }
    }
    # What only refines the gap is not waited for.
    @open = grep { $_->{kind} ne "extra" || !$ending && ($_->{connected} || $time - $_->{at} < $knock) } @open;
    my $extra_due = $ending ? undef : extra_in();
    if (defined $extra_due and $time >= $extra_begun + $extra_due) {
        $extra_begun = $time;
        begin("extra");
        # It may have ended already: a unix socket is refused at once.
        $extra_due = extra_in();
    }
    # Copies: what goes on in the loops changes @open.
    my @late = grep { $time - $_->{at} > $patience } @open;
    ended($_, "timeout") for @late;
    my @queued = grep { $_->{queued} } @open;
    connects($_) for @queued;
    my ($reads, $writes) = ("", "");
    my @ready = (grep({ !$_->{queued} } @open), grep({ $_ && $_->{idle} } $kept));
    for (@ready) {
        if (!$_->{connected} || length $_->{out}) { vec($writes, fileno $_->{handle}, 1) = 1 }
        else { vec($reads, fileno $_->{handle}, 1) = 1 }
    }
    my $next = $due < $kept_due ? $due : $kept_due;
    $next = $extra_begun + $extra_due if defined $extra_due and $extra_begun + $extra_due < $next;
    my $wait = $next - now();
    select($reads, $writes, undef, $wait > 0 ? $wait / 1e3 : 0) > 0 or next;
    for (@ready) {
        my $bit = fileno $_->{handle};
        turn($_) if vec($reads, $bit, 1) || vec($writes, $bit, 1);
    }
}
exit($torn // 0);
