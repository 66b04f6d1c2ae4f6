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

# Returns the farm, which the cmdlet reads from the configuration database. A
# remote shell has no credentials for SQL Server unless delegation is configured.
# The product's message does not distinguish that from missing rights, so a token
# without administrator rights is reported as such.
function Get-Farm {
    [CmdletBinding()]
    param()

    try { $farm = Get-SPFarm }
    catch [System.Management.Automation.CommandNotFoundException] {
        Stop-Script -Id 'NotSharePoint' -Message 'SharePoint is installed here without its cmdlets'
    }
    catch {
        Assert-FarmRights
        Stop-Script -Id 'SecondHop' -Message "the SharePoint farm cannot be reached from this session: $($_.Exception.Message)"
    }
    if ($null -eq $farm) { Stop-Script -Id 'SecondHop' -Message 'the SharePoint farm cannot be reached from this session' }
    return $farm
}

# Returns the issuers with a registered name, whatever their display names.
function Find-Issuer {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $RegisteredName)

    foreach ($issuer in Get-SPTrustedSecurityTokenIssuer) {
        if ([string] $issuer.RegisteredIssuerName -eq $RegisteredName) { $issuer }
    }
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
