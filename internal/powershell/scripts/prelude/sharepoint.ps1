# SharePoint's cmdlets, and its trusts as they are found by what counts.

# 2013, 2016 and 2019 bring a snap-in, Subscription Edition a module.
# Source: SharePointDsc, which draws the line at build 13000.
function Import-SharePoint {
    [CmdletBinding()]
    param()

    $version = Get-SharePointFileVersion
    if ($null -eq $version) { Stop-Script -Id 'NotSharePoint' -Message 'SharePoint is not installed on this server' }
    if ($version.Major -eq 15 -or $version.Build -lt 13000) {
        # Without access to the farm it reports that cmdlets are missing;
        # asking for the farm says so more clearly.
        Add-PSSnapin -Name Microsoft.SharePoint.PowerShell -ErrorAction SilentlyContinue
    }
    else { Import-Module -Name SharePointServer -DisableNameChecking -ErrorAction SilentlyContinue }
}

# The farm, reached through its configuration database. A remote shell has no
# credentials for SQL Server unless delegation is in place; the message alone
# does not tell that from missing rights, but the token tells the worst case.
function Get-Farm {
    [CmdletBinding()]
    param()

    try { $farm = Get-SPFarm }
    catch [System.Management.Automation.CommandNotFoundException] {
        Stop-Script -Id 'NotSharePoint' -Message 'SharePoint is installed here without its cmdlets'
    }
    catch {
        Assert-Elevated
        Stop-Script -Id 'SecondHop' -Message "the SharePoint farm cannot be reached from this session: $($_.Exception.Message)"
    }
    if ($null -eq $farm) { Stop-Script -Id 'SecondHop' -Message 'the SharePoint farm cannot be reached from this session' }
    return $farm
}

# Issuers with a registered name, whatever they are called.
function Find-Issuer {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $RegisteredName)

    foreach ($issuer in Get-SPTrustedSecurityTokenIssuer) {
        if ([string] $issuer.RegisteredIssuerName -eq $RegisteredName) { $issuer }
    }
}

# The mark in an issuer's description that says when its certificate was set:
# what started earlier has not loaded it.
$FarmTrustMark = '\s*\[farmtrust (\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z)\]'

function ConvertTo-MarkedText {
    [CmdletBinding()]
    param([string] $Text)

    return (($Text -replace $FarmTrustMark, '') + ' [farmtrust ' + (ConvertTo-UtcText -Time (Get-MachineTime)) + ']').Trim()
}

# The mark's time as text; null without one.
function Get-MarkTime {
    [CmdletBinding()]
    param([string] $Text)

    if ($Text -match $FarmTrustMark) { return $Matches[1] }
    return $null
}
