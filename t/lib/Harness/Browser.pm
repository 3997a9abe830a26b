package Harness::Browser;

# A person with a browser at a real authorization server, and the client that sends them there: authorization code with
# PKCE (RFC 7636). It keeps cookies, follows redirects and fills in forms. Login pages alone: no paths of cookies, no
# scripts.

use strict;
use warnings;
use Digest::SHA 'sha256';
use Harness::Client;
use Harness::Form qw(form_text read_form);
use Harness::Jwt 'base64url';
use Harness::Process 'patience';
use Harness::Secrets 'keep_secret';

# The client: client, redirect_uri, scope. The person: knows => { name of a field => what goes into it }; a sub is given
# what the form hides.
sub new {
    my ($class, $as, %option) = @_;
    return bless { as => $as, cookies => {}, shown => [], %option }, $class;
}

# An access token, for an authorization request with these parameters more.
sub token { my ($self, %parameters) = @_; return $self->tokens(%parameters)->{access_token} }

# The same: all of the token endpoint's answer.
sub tokens {
    my ($self, %parameters) = @_;
    my $verifier = base64url(join '', map { chr int rand 256 } 1 .. 32);
    my %request  = (response_type => 'code', client_id => $self->{client}, redirect_uri => $self->{redirect_uri},
        scope => $self->{scope}, state => int rand 1e9, code_challenge => base64url(sha256($verifier)),
        code_challenge_method => 'S256', %parameters);
    my $answer = $self->_answer_to('authorization', \%request, $self->{redirect_uri});
    die "the answer is to another request\n" if ($answer->{state} // '') ne $request{state};
    die "no code: $answer->{error} @{[ $answer->{error_description} // '' ]}\n" if !defined $answer->{code};
    my $response = $self->{as}->form('token', $self->{client}, {
        grant_type => 'authorization_code', code => $answer->{code}, redirect_uri => $self->{redirect_uri},
        code_verifier => $verifier
    });
    die 'no token: ' . $response->body . "\n" if $response->status != 200;
    keep_secret(grep { defined } @{ $response->json }{qw(access_token refresh_token id_token)});
    return $response->json;
}

# What comes back to the client's URI from an authorization request that somebody else has made: { code, state, … }.
sub authorize {
    my ($self, $request) = @_;
    return $self->_answer_to('authorization', $request, $self->{redirect_uri});
}

# The person logs out, and is sent to this page of the client's.
sub logout {
    my ($self, $page, %parameters) = @_;
    my %request = (client_id => $self->{client}, post_logout_redirect_uri => $page, state => int rand 1e9, %parameters);
    my $answer  = $self->_answer_to('logout', \%request, $page, { logout => 'yes' });
    die "the answer is to another request\n" if ($answer->{state} // '') ne $request{state};
    return;
}

# What the person was asked for by the last of these: of each form the names of its fields.
sub shown { return @{ $_[0]{shown} } }

# What comes to the client's URI in the end. The button is what a form is sent with, its name and value.
sub _answer_to {
    my ($self, $endpoint, $request, $uri, $button) = @_;
    my $base = 'http://' . $self->{as}->address;
    my $at   = "$base@{[ $self->{as}->path($endpoint) ]}?" . form_text($request);
    my $form;
    $self->{shown} = [];
    for (1 .. 20) {
        my $response = $self->_load($at =~ s/^\Q$base\E//r, $form);
        my $location = $response->header('Location');
        if (defined $location) {
            ($at, $form) = ($location =~ s{^/}{$base/}r, undef);
            return read_form($at =~ s/^[^?]*\??//r) if index($at, $uri) == 0;
        }
        else {
            (my $action, $form) = $self->_fill_in($response);
            $at = $action =~ s{^/}{$base/}r if defined $action;
            $form = { %{$form}, %{ $button // {} } };
        }
    }
    die "no end of forms and redirects: @{ $self->{shown} }\n";
}

sub _load {
    my ($self, $path, $form) = @_;
    my %cookies  = %{ $self->{cookies} };
    my $response = Harness::Client->once(
        port => $self->{as}->port, host => $self->{as}->address, path => $path, timeout => patience(30),
        headers => [%cookies ? 'Cookie: ' . join '; ', map { "$_=$cookies{$_}" } sort keys %cookies : (),
                    $form ? 'Content-Type: application/x-www-form-urlencoded' : ()],
        $form ? (method => 'POST', body => form_text($form)) : (),
    );
    for my $cookie ($response->headers('Set-Cookie')) {
        my ($name, $value, $attributes) = $cookie =~ /^([^=]+)=([^;]*)(.*)$/ or die "no cookie: $cookie\n";
        if ($attributes =~ /; *max-age=0\b|; *expires=[^;]* 1970 /i) { delete $self->{cookies}{$name} }
        else { $self->{cookies}{$name} = $value }
    }
    return $response;
}

# Where the page's form leads, nothing if to the page itself, and what the person and the page put into it.
sub _fill_in {
    my ($self, $response) = @_;
    my ($tag, $content) = $response->body =~ m{<form\b([^>]*)>(.*?)</form>}s
        or die 'neither a form nor a redirect: ' . $response->status . ' ' . $response->body . "\n";
    my @inputs = map { { name => _attribute($_, 'name'), type => _attribute($_, 'type') // 'text', tag => $_ } }
        grep { defined _attribute($_, 'name') } $content =~ /<input\b([^>]*)>/gs;
    my %form  = map { $_->{name} => _attribute($_->{tag}, 'value') // '' } grep { $_->{type} eq 'hidden' } @inputs;
    my @asked = map { $_->{name} } grep { $_->{type} !~ /^(?:hidden|checkbox|submit|button)$/ } @inputs;
    $form{$_} = $self->_answer($_, \%form) for @asked;
    push @{ $self->{shown} }, join ' ', @asked;
    return (scalar _attribute($tag, 'action'), \%form);
}

sub _answer {
    my ($self, $name, $hidden) = @_;
    my $known = $self->{knows}{$name} // die "nobody knows what goes into $name\n";
    return ref $known ? $known->($hidden) : $known;
}

sub _attribute {
    my ($tag, $name) = @_;
    my ($value) = $tag =~ /\s$name\s*=\s*"([^"]*)"/ or return;
    return $value =~ s/&#(\d+);/chr $1/ger =~ s/&quot;/"/gr =~ s/&lt;/</gr =~ s/&gt;/>/gr =~ s/&amp;/&/gr;
}

1;
