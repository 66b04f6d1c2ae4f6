# SharePoint's cmdlets, and its issuers.

# SharePoint 2013, 2016 and 2019 have a snap-in, Subscription Edition has a module.
# Source: SharePointDsc, which tells them apart by build 13000.
function Import-SharePoint {
    [CmdletBinding()]
    param()

    $version = Get-SharePointFileVersion
    if ($null -eq $version) { Stop-Script -Id 'NotSharePoint' -Message 'SharePoint is not installed on this server' }
    if ($version.Major -eq 15 -or $version.Build -lt 13000) {
        # Without access to the farm the snap-in reports missing cmdlets; the
        # error of Get-SPFarm is clearer.
        Add-PSSnapin -Name Microsoft.SharePoint.PowerShell -ErrorAction SilentlyContinue
    }
    else { Import-Module -Name SharePointServer -DisableNameChecking -ErrorAction SilentlyContinue }
}

# The numbers of SQL Server and of its client that a failover, a restart or the
# network explains: no server or no answer, a connection that broke, a database or
# replica that is not ready yet, a server that admits administrators only while it
# is updated, which names the account as a refusal for good does.
# Source: Microsoft, "Database Engine events and errors" and
# SqlConfigurableRetryFactory.BaselineTransientErrors.
$FarmTrustSqlAway = -2, -1, 2, 53, 64, 121, 233, 258, 10053, 10054, 10060, 10061, 11001, 921, 922, 927, 952, 976, 978, 983, 988, 6005, 17142, 17187, 18401, 18461, 40613

# Returns the farm, which the cmdlet reads from the configuration database.
function Get-Farm {
    [CmdletBinding()]
    param()

    try { $farm = Get-SPFarm }
    catch [System.Management.Automation.CommandNotFoundException] {
        Stop-Script -Id 'NotSharePoint' -Message 'SharePoint is installed here without its cmdlets'
    }
    catch {
        Assert-FarmRights
        Stop-UnreachableFarm -Because $_.Exception.Message
    }
    if ($null -eq $farm) { Stop-UnreachableFarm -Because 'Get-SPFarm returned nothing' }
    return $farm
}

# Ends with the cause of a farm that cannot be reached. The product has one message
# for all of them, so SQL Server is asked: it tells by number, and by the account
# that it saw. An account without credentials for another machine is seen there as
# anonymous.
function Stop-UnreachableFarm {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Because)

    $database = Open-ConfigurationDatabase
    if ($null -eq $database) { Stop-Script -Id 'FarmUnreachable' -Message "the SharePoint farm cannot be reached: $Because" }
    # A failure of the client's own, as of Kerberos, has the number 0 too.
    if ($database.Number -eq 0 -and $database.Message -eq '') {
        Stop-Script -Id 'FarmUnreachable' -Message "SQL Server opens the configuration database, yet the SharePoint farm cannot be reached: $Because"
    }
    $text = "$Because SQL Server's error $($database.Number): $($database.Message)"
    if ($database.Number -in $FarmTrustSqlAway) { Stop-Script -Id 'SqlUnavailable' -Message $text }
    if ($database.Number -eq 4060) { Stop-ClosedDatabase -State $database.State -Message $text }
    $account = Get-AccountName
    $named = $database.Message.IndexOf($account, [System.StringComparison]::OrdinalIgnoreCase) -ge 0
    if ($named) { Stop-Script -Id 'NoFarmAccess' -Message $text }
    # 18452 is a login without credentials that SQL Server accepts.
    if ($database.Number -in 18456, 18452) { Stop-Script -Id 'SecondHop' -Message "$account is not who reaches SQL Server. $text" }
    Stop-Script -Id 'FarmUnreachable' -Message $text
}

# Error 4060 means that the login was accepted and the database was not opened: the
# account may not, or the database is not online, as during a failover. The server's
# list of databases, which any login may read by default, tells the two apart. Where
# it does not, nothing is known.
function Stop-ClosedDatabase {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [AllowEmptyString()] [string] $State,
        [Parameter(Mandatory = $true)] [string] $Message
    )

    if ($State -eq '') { Stop-Script -Id 'FarmUnreachable' -Message $Message }
    if ($State -eq '0') { Stop-Script -Id 'NoFarmAccess' -Message $Message }
    Stop-Script -Id 'SqlUnavailable' -Message "$Message (the database is in state $State)"
}

# Returns the issuers with a registered name, whatever their display names.
function Find-Issuer {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $RegisteredName)

    foreach ($issuer in Get-SPTrustedSecurityTokenIssuer) {
        if ([string] $issuer.RegisteredIssuerName -eq $RegisteredName) { $issuer }
    }
}

# Reports whether a root authority's certificate is a certificate itself, or in its
# chain of root authorities, which are found by name. A chain is never longer than
# their list.
function Test-Chain {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [object] $Certificate,
        [Parameter(Mandatory = $true)] [object] $Authority,
        [Parameter(Mandatory = $true)] [AllowEmptyCollection()] [object[]] $Among
    )

    $chain = @($Certificate)
    foreach ($next in $Among) {
        foreach ($candidate in $Among) {
            if ($null -ne $candidate.Certificate -and $candidate.Certificate.Subject -eq $chain[-1].Issuer) {
                $chain += $candidate.Certificate
                break
            }
        }
    }
    foreach ($link in $chain) {
        if ($link.Thumbprint -eq $Authority.Thumbprint) { return $true }
    }
    return $false
}

# The mark in an issuer's description that records when its certificate was set.
# A process that started earlier has not loaded that certificate.
$FarmTrustMark = '\s*\[farmtrust (\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z)\]'

function ConvertTo-MarkedText {
    [CmdletBinding()]
    param([string] $Text)

    return (($Text -replace $FarmTrustMark, '') + ' [farmtrust ' + (ConvertTo-UtcText -Time (Get-MachineTime)) + ']').Trim()
}

# Returns the time of the mark as text, or null when there is no mark.
function Get-MarkTime {
    [CmdletBinding()]
    param([string] $Text)

    if ($Text -match $FarmTrustMark) { return $Matches[1] }
    return $null
}
