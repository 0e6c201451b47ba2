# The prober of a drain trial: what clients of an app see while it stops. Three of them: one with a request in progress,
# one with a kept connection that is idle between requests, and one that asks for health on new connections.
# stdin: the address of the health check. args: its kind (http, unix), its status, the path of the request
# Prints `ready TIME` once they are connected, or `failed WHY`, and until SIGTERM lines `WHO NUMBER START END HOW`: who
# is request, kept or health; the number is that of the connection; times are milliseconds of CLOCK_MONOTONIC, which
# systemd stamps by; HOW is ok, or how it failed, and `,close` if the response ends the connection; `idle` is a kept
# connection that was closed between two requests. Never here: what that means.
use strict;
use Config;
use Errno;
use Socket qw(:DEFAULT getaddrinfo SOCK_NONBLOCK);

my ($kind, $status, $path) = @ARGV;
chomp(my $target = <STDIN>);
my ($parent, $ending) = getppid;
$SIG{TERM} = sub { $ending = 1 };
$SIG{PIPE} = "IGNORE";
$| = 1;

# How long each waits for a response (ms), and the time from the beginning of one request to that of the next.
my %patience = (request => 150_000, kept => 10_000, health => 10_000);
my %pause = (request => 50, kept => 250, health => 50);
# A request that takes so long is in progress; without one, nobody waits longer than this. After SIGTERM, what is in
# progress has this long, and a connection that closes with the app this long.
my ($long, $enough, $rest, $short) = (100, 2000, 3000, 200);

# perl-base has no Time::HiRes. The number of clock_gettime differs.
my ($machine) = $Config{archname} =~ /^(\w+)/;
my $clock_gettime = {x86_64 => 228, aarch64 => 113, riscv64 => 113, s390x => 260}->{$machine};
sub now {
    my $time = "\0" x 16;
    if ($clock_gettime and syscall($clock_gettime, 1, $time) == 0) {
        my ($seconds, $nanoseconds) = unpack "l!2", $time;
        return $seconds * 1e3 + $nanoseconds / 1e6;
    }
    open my $uptime, "<", "/proc/uptime" or exit 1;
    return 1e3 * (split " ", <$uptime>)[0];
}

sub failed {
    print "failed $_[0]\n";
    exit 0;
}

# Where to connect to, and what is asked.
my (@addresses, $name, $health);
if ($kind eq "unix") {
    (my $socket, $health) = split " ", $target, 2;
    ($name, @addresses) = ("localhost", [AF_UNIX, pack_sockaddr_un($socket)]);
} else {
    $target =~ m{^http://((?:\[([^/?\#\]]+)\]|([^/?\#:]+))(?::(\d+))?)([/?][^\#]*)?} or failed("cannot ask $target");
    ($name, my $host, my $port, $health) = ($1, $2 // $3, $4 // 80, $5 // "/");
    my ($error, @found) = getaddrinfo($host, $port, {socktype => SOCK_STREAM});
    @addresses = map { [$_->{family}, $_->{addr}] } @found or failed("cannot resolve $host");
}
s{^\?}{/?} for $health, $path;
my %asks = (request => $path, kept => $health, health => $health);

# The client of each kind: idle or asking if it has a handle.
my ($numbers, $last) = (0, "");
my %clients = map { $_ => {who => $_, due => now()} } keys %asks;

# Ends the request of a client. Without $how, the last error says how.
sub ended {
    my ($client, $how, $stays) = @_;
    $how ||= !$client->{connected} && ($!{ECONNREFUSED} || $!{ENOENT}) ? "refused"
        : $!{ECONNRESET} || $!{EPIPE} ? "reset"
        : "other";
    my ($who, $time) = ($client->{who}, now());
    my $is_news = $who eq "health" ? $how ne $last : $who eq "kept" || $how ne "ok" || $time - $client->{at} >= 20;
    $last = $how if $who eq "health";
    printf "%s %d %.1f %.1f %s\n", $who, $client->{number}, $client->{at}, $time, $how if $is_news;
    $client->{asking} = 0;
    @$client{qw(handle connected)} = () if !$stays;
}

# Connects to the next address of the name. A unix socket whose queue is full is tried again.
sub connects {
    my ($client) = @_;
    for (; $client->{address} < @addresses; $client->{address}++) {
        my ($family, $address) = @{$addresses[$client->{address}]};
        socket $client->{handle}, $family, SOCK_STREAM | SOCK_NONBLOCK, 0 or last;
        my $connected = connect $client->{handle}, $address;
        $client->{queued} = !$connected && $!{EAGAIN};
        return if $connected or $!{EINPROGRESS} or $!{EAGAIN};
    }
    ended($client);
}

sub ask {
    my ($client, $time) = @_;
    my $keeps = $client->{who} eq "kept" ? "keep-alive" : "close";
    @$client{qw(at due in asking)} = ($time, $time + $pause{$client->{who}}, "", 1);
    $client->{out} = "GET $asks{$client->{who}} HTTP/1.1\r\nHost: $name\r\nUser-Agent: shipit\r\nAccept: */*\r\n"
        . "Connection: $keeps\r\n\r\n";
    return if $client->{handle};
    @$client{qw(address number)} = (0, ++$numbers);
    connects($client);
}

# The status, whether the response is all there, and whether the connection can be used again.
sub response {
    my ($text, $closed) = @_;
    1 while $text =~ s/^HTTP\S+ 1\d\d.*?\r?\n\r?\n//s;
    my ($head, $body) = split /\r?\n\r?\n/, $text, 2;
    my ($code) = ($head // "") =~ /^HTTP\S+ (\d{3})/;
    return if !defined $code or !defined $body;
    my $whole = $closed;
    if ($head =~ /^transfer-encoding:.*chunked/im) {
        $whole = 0;
        while ($body =~ s/^([0-9a-f]+)[^\n]*\n//i) {
            my $size = hex $1;
            $whole = $size == 0;
            substr $body, 0, $size, "";
            $body =~ s/^\r?\n//;
        }
    } elsif ($head =~ /^content-length:\s*(\d+)/im) {
        $whole = length $body >= $1;
    } elsif ($code =~ /^[23]04/) {
        $whole = 1;
    }
    return ($code, $whole, !$closed && $head =~ m{^HTTP/1\.1} && $head !~ /^connection:.*close/im);
}

# Continues with a client whose connection is ready.
sub turn {
    my ($client) = @_;
    if (!$client->{connected}) {
        $! = unpack "i", getsockopt $client->{handle}, SOL_SOCKET, SO_ERROR;
        if ($!) {
            $client->{address}++;
            return connects($client);
        }
        $client->{connected} = 1;
    }
    if ($client->{asking} && length $client->{out}) {
        my $sent = syswrite $client->{handle}, $client->{out};
        return $!{EAGAIN} || ended($client) if !defined $sent;
        substr $client->{out}, 0, $sent, "";
        return;
    }
    my $got = sysread $client->{handle}, $client->{in}, 65536, length $client->{in};
    return if !defined $got and $!{EAGAIN};
    if (!$client->{asking}) {
        $client->{at} = now();
        return ended($client, "idle");
    }
    return ended($client) if !defined $got;
    my ($code, $whole, $stays) = response($client->{in}, !$got);
    return $got || ended($client, "closed") if !$whole;
    my $good = $client->{who} eq "health" ? $code == $status : $code < 500;
    my $keeps = $client->{who} eq "kept";
    ended($client, ($good ? "ok" : "status=$code") . ($keeps && !$stays ? ",close" : ""), $keeps && $stays);
}

my ($began, $ready) = (now(), 0);
until (getppid != $parent) {
    my $time = now();
    $ending = $time + $rest if $ending && $ending == 1;
    my @asking = grep { $_->{asking} } values %clients;
    my $is_idle = !grep { $_->{who} ne "health" } @asking;
    last if $ending and $time > $ending - ($is_idle ? $rest - $short : 0);
    $time - $_->{at} > $patience{$_->{who}} and ended($_, "timeout") for @asking;
    $_->{asking} && $_->{queued} and connects($_) for @asking;
    $_->{asking} || $ending || $time < $_->{due} or ask($_, $time) for values %clients;
    my ($request, $kept) = @clients{qw(request kept)};
    my $is_long = $request->{connected} && $request->{asking} && $time - $request->{at} >= $long;
    if (!$ready and $is_long && $kept->{handle} && !$kept->{asking} || $time - $began >= $enough) {
        $ready = 1;
        printf "ready %.1f\n", $time;
    }
    my ($reads, $writes) = ("", "");
    my @open = grep { $_->{handle} && !$_->{queued} } values %clients;
    for (@open) {
        if (!$_->{connected} || $_->{asking} && length $_->{out}) { vec($writes, fileno $_->{handle}, 1) = 1 }
        else { vec($reads, fileno $_->{handle}, 1) = 1 }
    }
    select($reads, $writes, undef, 0.02) > 0 or next;
    for (@open) {
        my $bit = fileno($_->{handle} // next) // next;
        turn($_) if vec($reads, $bit, 1) || vec($writes, $bit, 1);
    }
}
# What is still in progress was neither answered nor cut.
$_->{asking} and ended($_, "open") for @clients{qw(request kept)};
