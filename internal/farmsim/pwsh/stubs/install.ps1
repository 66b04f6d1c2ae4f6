# Stubs for what only Windows can do when the SharePoint task is installed. The
# model has no access lists and no signatures: tests say what is behind these.

function Test-Administrator {
    [CmdletBinding()]
    param()
    Invoke-Model -Name Test-Elevated
}

function Get-AccountSid {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Account)
    Invoke-Model -Name Get-AccountSid -With $PSBoundParameters
}

# The folder is made, on this machine; its access list is the test's.
function Set-ClosedFolder {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Path,
        [Parameter(Mandatory = $true)] [object[]] $Access
    )
    $null = [System.IO.Directory]::CreateDirectory($Path)
    foreach ($entry in $Access) {
        Invoke-Model -Name Set-ClosedFolder -With @{ Path = $Path; Sid = $entry.Sid; Rights = $entry.Rights }
    }
}

function Get-ValidSigner {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Path)
    Invoke-Model -Name Get-ValidSigner -With $PSBoundParameters
}

function Add-TrustedPublisher {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [object] $Certificate)
    Invoke-Model -Name Add-TrustedPublisher -With @{ Subject = [string] $Certificate.Subject }
}
