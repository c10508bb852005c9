#!/usr/bin/perl
# The server of tests/fetch_test.cpp: a file, its pointer and a page on 127.0.0.1, served as well or as
# badly as the first part of the address says, in words joined by "+" (see %modes and `answer`).
# Usage: perl fetch_server.pl DATA POINTER PAGE LOG
# Prints its port and process id; writes each request with its Range to LOG. It ends by itself
# after 60 seconds or 100 requests. Needs nothing beyond Debian's perl-base.
use strict;
use warnings;
use IO::Socket::INET;

my ($data, $pointer, $page, $log) = @ARGV;
my ($max_seconds, $max_requests) = (60, 100);
my %modes = map { $_ => 1 } qw(
  ok redirect plain short corrupt drop truncate stall silent empty 403 404 500 nopointer
);    # an unknown mode is a mistake in the test

sub slurp {
    open my $file, '<:raw', $_[0] or die "$_[0]: $!";
    local $/;
    return scalar <$file>;
}

# The head of an answer.
sub head {
    my ($status, @fields) = @_;
    return join "\r\n", "HTTP/1.1 $status", 'Connection: close', @fields, '', '';
}

# Waits until the client hangs up.
sub wait_for_end {
    my ($client) = @_;
    while (sysread $client, my $ignored, 4096) { }
}

# Sends a file from the byte at which the client wants to continue.
sub send_file {
    my ($client, $file, $range, %mode) = @_;
    my $body = $mode{empty} ? '' : slurp($file);
    my $half = int(length($body) / 2);
    $body = substr $body, 0, $half if $mode{short};
    substr($body, 1000, 1) ^= "\1" if $mode{corrupt};
    my $from = !$mode{plain} && $range =~ /^bytes=(\d+)-$/ ? $1 : 0;
    my $size = length $body;
    if ($from > 0 && $from >= $size) {
        print $client head('416 Range Not Satisfiable', 'Content-Length: 0');
        return;
    }

    my $rest = $size - $from;
    my $cut = $rest;
    $cut = 0.6 * $size if $mode{drop} && $rest > 0.6 * $size;
    $cut = $from < $half ? $half - $from : 0 if $mode{truncate} || $mode{stall};
    my @part = $from ? ('206 Partial Content', "Content-Range: bytes $from-@{[$size - 1]}/$size")
                     : ('200 OK');
    print $client head(@part, "Content-Length: $rest"), substr $body, $from, $cut;
    wait_for_end($client) if $mode{stall};
}

# Answers one request, given its path and the value of its Range field.
sub answer {
    my ($client, $port, $path, $range) = @_;
    my ($words, $rest) = $path =~ m{^/([^/]*)/(.*)};
    my %mode = map { $_ => 1 } split /\+/, $words // 'none';
    for (keys %mode) { die "unknown mode $_" unless $modes{$_} }
    my ($kind) = $rest =~ m{^openai-community/gpt2(?:-large)?/(\w+)/\w{40}/model\.safetensors$};
    $kind = 'page' if $rest eq 'wiki/Light-emitting_diode';
    die "unexpected path $path" unless ($kind // '') =~ /^(raw|resolve|page)$/;
    my $is_pointer = $kind eq 'raw';
    my ($error) = grep { /^\d+$/ } keys %mode;

    if ($mode{silent}) {
        wait_for_end($client);
    } elsif ($is_pointer && !$mode{nopointer}) {
        my $text = slurp($pointer);
        print $client head('200 OK', 'Content-Length: ' . length $text), $text;
    } elsif ($error) {
        print $client head("$error Refused", 'Content-Length: 5'), "page\n";
    } elsif ($is_pointer) {
        print $client head('200 OK', 'Content-Length: 20'), "<html>hello</html>\n\n";
    } elsif (delete $mode{redirect}) {
        my $next = join('+', sort keys %mode) || 'ok';
        print $client head('302 Found', "Location: http://127.0.0.1:$port/$next/$rest",
            'Content-Length: 0');
    } else {
        send_file($client, $kind eq 'page' ? $page : $data, $range, %mode);
    }
}

alarm $max_seconds;    # its signal ends the process, wherever it waits
$SIG{PIPE} = 'IGNORE';
my $server = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 8)
  or die "cannot listen: $@";
open my $record, '>>', $log or die "$log: $!";
$| = 1;
$record->autoflush(1);
print $server->sockport, " $$\n";

for (1 .. $max_requests) {
    my $client = $server->accept or next;
    binmode $client;
    my $request = '';
    1 while $request !~ /\r\n\r\n/ && sysread $client, $request, 4096, length $request;
    next unless my ($path) = $request =~ m{^GET (\S+) };
    my ($range) = $request =~ /^Range: (\S+)/mi;
    print $record "$path ", $range // '-', "\n";
    answer($client, $server->sockport, $path, $range // '');
    close $client;
}
