package Fuzz::Oracle;

# The fuzzer's own judgement, from the contract and not from the module's code: may this answer, or this client's own
# JWT, let a request into that location?

use strict;
use warnings;
use Exporter 'import';
use JSON::PP ();

our @EXPORT_OK = qw(judge_answer judge_client_jwt);

my $NUMBER = qr/^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

# 'pass', 'may' or 'refuse', by an answer as Fuzz::Token and Fuzz::Wire have it. now is when the run began: no time in
# a token lies so near to it that the seconds of the run matter. shown: what the client has shown with its token,
# { dpop, jkt, certificate }.
sub judge_answer {
    my ($answer, $wire, $location, $now, $shown) = @_;
    my @effects = ($answer->{effect}, $answer->{jwt}{effect}, $wire->{effect});
    return 'refuse' if ($answer->{status} // 200) != 200 || grep { $_ eq 'refuse' } @effects;
    return 'refuse' if length $answer->{body} > $location->{limit};
    my $holds = _shape_holds($answer, $location) && _claims_hold(
        $location, $now, $answer->{members}, $answer->{jwt}{claims}, $answer->{envelope}
    )
        && _confirmation_holds($location, $shown, $answer->{members}, $answer->{jwt}{claims})
        && (!$location->{verify} || $answer->{jwt}{signer} eq 'good');
    return !$holds ? 'refuse' : (grep { $_ eq 'may' } @effects) ? 'may' : 'pass';
}

# The same for a well-formed JWT that the client sent.
sub judge_client_jwt {
    my ($jwt, $location, $now, $shown) = @_;
    return 'refuse' if $location->{inbound} eq 'reject' || !_claims_hold($location, $now, undef, $jwt->{claims}, undef)
        || !_confirmation_holds($location, $shown, $jwt->{claims});
    if ($location->{inbound} eq 'verify') {
        my $typ = $jwt->{header}{typ};
        return 'refuse' if $jwt->{signer} ne 'good' || (defined $typ && $typ !~ m{^(?:application/)?(?:at\+)?jwt$}i);
    }
    return $jwt->{effect} eq 'may' ? 'may' : 'pass';
}

# A member that is null counts as absent, but for active.
# Active, a JWT where this location looks for it, of the right kind.
sub _shape_holds {
    my ($answer, $location) = @_;
    my ($members, $claims) = ($answer->{members}, $answer->{jwt}{claims});
    return 0 if !defined $claims || ($answer->{jwt}{header}{typ} // '') =~ /introspection/i;
    return 0 if exists $claims->{active} && !_is_true($claims->{active});
    return 0 if grep { lc($_->{token_type} // '') eq 'refresh_token' } grep { ref $_ eq 'HASH' } $members, $claims;
    return _exchange_holds($answer, $members) if $location->{way} eq 'exchange';
    return 1 if $answer->{kind} eq 'jwt';
    return 0 if ref $members ne 'HASH' || !_is_true($members->{active});
    return 0 if $answer->{kind} eq '9701' && (!$answer->{is_envelope} || $answer->{envelope_jwt}{effect} eq 'refuse');
    my ($first) = grep { defined $members->{$_} } @{ $location->{members} };
    return defined $first && !ref $members->{$first} && ($members->{$first} // '') eq $answer->{jwt}{text};
}

sub _exchange_holds {
    my ($answer, $members) = @_;
    return 0 if ref $members ne 'HASH' || ($members->{access_token} // '') ne $answer->{jwt}{text};
    return 1 if !defined $members->{issued_token_type};
    return ($members->{issued_token_type} // '') =~ /^urn:ietf:params:oauth:token-type:(?:jwt|access_token)$/;
}

sub _claims_hold {
    my ($location, $now, $members, $claims, $envelope) = @_;
    return 0 if ref $claims ne 'HASH';
    for my $document (grep { ref $_ eq 'HASH' } $members, $claims, $envelope) {
        return 0 if defined $document->{exp} && !(
            _is_number($document->{exp}) && $document->{exp} + $location->{leeway} > $now
        );
        return 0 if defined $document->{nbf} && !(
            _is_number($document->{nbf}) && $document->{nbf} <= $now + $location->{leeway}
        );
    }
    my @both = grep { ref $_ eq 'HASH' } $members, $claims;
    return 0 if @{ $location->{issuers} } && grep { !_has_one($_->{iss}, 0, @{ $location->{issuers} }) }
        $claims, grep { defined $_->{iss} } @both;
    return 0 if @{ $location->{audiences} } && grep { !_has_one($_->{aud}, 1, @{ $location->{audiences} }) }
        $claims, grep { defined $_->{aud} } @both;
    return _scopes_hold($location, $members, $claims);
}

# Section "Sender-constrained tokens" of the contract.
sub _confirmation_holds {
    my ($location, $shown, @documents) = @_;
    my @both     = grep { ref $_ eq 'HASH' } @documents;
    my @cnf      = grep { defined } map { $_->{cnf} } @both;
    my $has_type = grep { lc($_->{token_type} // '') eq 'dpop' } @both;
    my $is_bound = $has_type || @cnf;
    return $location->{bound} || !$is_bound if !$location->{confirmation};
    return $location->{confirmation} eq 'verify' && !$shown->{dpop} if !$is_bound;
    my @methods = map { scalar _methods($_) } @cnf;
    return 0 if grep { !$_ } @methods;
    my @jkt         = grep { defined } map { $_->{jkt} } @methods;
    my @certificate = grep { defined } map { $_->{'x5t#S256'} } @methods;
    return 0 if $has_type && !@jkt;
    return 0 if @jkt xor $shown->{dpop};
    return !(grep { $_ ne ($shown->{jkt} // '') } @jkt) && !grep { $_ ne ($shown->{certificate} // '') } @certificate;
}

# Those of a cnf, where nothing else is in it but what says nothing.
sub _methods {
    my ($cnf) = @_;
    return if ref $cnf ne 'HASH';
    my %member = map { defined $cnf->{$_} ? ($_ => $cnf->{$_}) : () } keys %{$cnf};
    my %method = map { exists $member{$_} ? ($_ => delete $member{$_}) : () } 'jkt', 'x5t#S256';
    delete $member{'kc-jkt-type'} if defined $method{jkt} && _is_text($member{'kc-jkt-type'})
        && $member{'kc-jkt-type'} eq 'DPoP';
    return if %member || !%method || grep { !_is_text($_) } values %method;
    return \%method;
}

sub _is_text { my ($value) = @_; return defined $value && !ref $value && !_is_number($value) }

sub _scopes_hold {
    my ($location, $members, $claims) = @_;
    my @required = @{ $location->{scopes} } or return 1;
    my $granted = ref $members eq 'HASH' && defined $members->{scope} ? $members->{scope} : defined $claims->{scope}
        ? $claims->{scope} : $claims->{scp};
    my @granted = ref $granted eq 'ARRAY' ? grep { defined && !ref }
        @{$granted} : defined $granted && !ref $granted ? split(/ /, $granted) : ();
    my @met = grep {
        my $required = $_;
        grep { $required =~ /^(.*)\*$/ ? index($_, $1) == 0 : $_ eq $required } @granted
    } @required;
    return $location->{match} eq 'any' ? @met > 0 : @met == @required;
}

sub _has_one {
    my ($value, $may_be_list, @allowed) = @_;
    my @values = ref $value eq 'ARRAY' && $may_be_list ? @{$value} : $value;
    return scalar grep { my $one = $_; defined $one && !ref $one && grep { $_ eq $one } @allowed } @values;
}

sub _is_true { my ($value) = @_; return JSON::PP::is_bool($value) && $value }

# A number, not a text that looks like one: JSON::PP itself tells them apart by how it would write them.
sub _is_number {
    my ($value) = @_;
    return defined $value && !ref $value && JSON::PP->new->allow_nonref->encode($value) =~ $NUMBER;
}

1;
